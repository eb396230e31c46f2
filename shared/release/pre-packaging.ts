import { createReadStream } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { RemodelError } from '../runtime/errors.ts'
import { temporaryFolder } from '../runtime/temporary.ts'
import type { ArchiveEntry } from './archive.ts'
import type { LocalPackage } from './local-release.ts'

export interface PrePackagingOptions {
  /** Default: 30 minutes. */
  timeoutMs?: number
  signal?: AbortSignal
}

/**
 * Runs a package's `pre_packaging` as BOSH does: `bash -x` in a folder with a copy of the package's files,
 * with `BUILD_DIR` (that folder) and `RELEASE_DIR` set; what it leaves there is what gets packed. The folder
 * lives as long as `use` runs.
 *
 * The script is the user's own and runs on this machine with our rights. Throws `job-failed` with the end of its
 * output, `deadline`, or `cancelled`; whatever it started is killed then.
 */
export async function withPrePackaging<T>(
  directory: string,
  pack: LocalPackage,
  options: PrePackagingOptions,
  use: (entries: ArchiveEntry[]) => Promise<T>,
): Promise<T> {
  const folder = await temporaryFolder('remodel-pre-packaging')
  const build = folder.path
  try {
    for (const file of pack.files) {
      const to = join(build, file.path)
      await mkdir(dirname(to), { recursive: true })
      if (file.target !== undefined) await symlink(file.target, to)
      else {
        await copyFile(file.source, to)
        await chmod(to, file.mode === '100755' ? 0o755 : 0o644)
      }
    }
    await run(directory, pack, build, options)
    await rm(join(build, 'pre_packaging'), { recursive: true, force: true })
    return await use(await entriesOf(build))
  } finally {
    await folder[Symbol.asyncDispose]()
  }
}

async function run(directory: string, pack: LocalPackage, build: string, options: PrePackagingOptions): Promise<void> {
  options.signal?.throwIfAborted()
  const release = resolve(directory)
  const script = join(release, 'packages', pack.folder, 'pre_packaging')
  // A process group of its own, so that all it started can be killed with it.
  // Loaded only where a release has such a script: every start of the command would pay for it.
  const { execa } = await import('execa')
  const child = execa('bash', ['-x', script], {
    cwd: build,
    env: { BUILD_DIR: build, RELEASE_DIR: release },
    stdin: 'ignore',
    all: true,
    reject: false,
    detached: true,
    maxBuffer: 16 * 1024 * 1024,
  })
  let why: 'deadline' | 'cancelled' | null = null
  const kill = (reason: 'deadline' | 'cancelled') => {
    why ??= reason
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
  const timer = setTimeout(() => kill('deadline'), options.timeoutMs ?? 30 * 60_000)
  const cancel = () => kill('cancelled')
  options.signal?.addEventListener('abort', cancel, { once: true })
  try {
    const result = await child
    const details = { package: pack.name, output: (result.all ?? '').slice(-10_000) }
    if (why !== null) throw new RemodelError(why, `pre_packaging of package ${pack.name} was stopped`, { details })
    if (result.exitCode !== 0) {
      const end = result.exitCode === undefined ? `signal ${result.signal}` : `exit code ${result.exitCode}`
      throw new RemodelError('job-failed', `pre_packaging of package ${pack.name} ended with ${end}`, { details })
    }
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', cancel)
  }
}

async function entriesOf(root: string): Promise<ArchiveEntry[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true })
  return Promise.all(
    found.map(async (one): Promise<ArchiveEntry> => {
      const source = join(one.parentPath, one.name)
      const path = relative(root, source)
      if (one.isDirectory()) return { type: 'directory', path }
      if (one.isSymbolicLink()) return { type: 'link', path, target: await readlink(source) }
      if (!one.isFile()) {
        throw new RemodelError('invalid-input', `pre_packaging left ${path}, which is no file, folder or link`, {
          details: { path },
        })
      }
      const facts = await lstat(source)
      const executable = path === 'packaging' || (facts.mode & 0o111) !== 0
      return { type: 'file', path, executable, size: facts.size, open: () => createReadStream(source) }
    }),
  )
}
