import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { type ArchiveEntry, archive } from '../../shared/release/archive.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

/** A folder that is gone when the test is. */
export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Path -> content; `['link', target]` and `['executable', content]` for what text alone cannot say. */
export type Tree = Record<string, string | readonly ['link' | 'executable', string]>

export async function writeTree(root: string, tree: Tree): Promise<string> {
  for (const [path, content] of Object.entries(tree)) {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    if (typeof content === 'string') await writeFile(file, content)
    else if (content[0] === 'link') await symlink(content[1], file)
    else {
      await writeFile(file, content[1])
      await chmod(file, 0o755)
    }
  }
  return root
}

/** A release directory with a src folder and a name, and what is given. */
export async function releaseFolder(tree: Tree): Promise<string> {
  return writeTree(await temporaryFolder(), { 'config/final.yml': 'name: web\n', 'src/.keep': '', ...tree })
}

export function fileEntry(path: string, content: string | Uint8Array): ArchiveEntry {
  const bytes = Buffer.from(content)
  return {
    type: 'file',
    path,
    executable: false,
    size: bytes.length,
    open: async function* () {
      yield bytes
    },
  }
}

/** The bytes of a tar.gz with these entries; nothing is checked, so hostile ones can be made. */
export async function tarGz(...entries: ArchiveEntry[]): Promise<Buffer> {
  return buffer(archive(entries))
}

export async function refusal(work: Promise<unknown>): Promise<RemodelError> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(thrown instanceof RemodelError)) throw new Error(`expected a RemodelError, got ${thrown}`)
  return thrown
}
