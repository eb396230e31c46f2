import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RemodelError } from '../../runtime/errors.ts'

const run = promisify(execFile)
const sources = fileURLToPath(new URL('./agent/', import.meta.url))
const compilers = ['cc', 'gcc', 'clang']

/**
 * The path of the agent's binary, compiled at the first use of a directory and kept under the digest of its sources, so
 * that two versions can share a directory. Throws `unsupported` where there is no C compiler.
 */
export async function agentBinary(directory: string): Promise<string> {
  const files = (await readdir(sources)).filter((name) => /\.[ch]$/.test(name)).sort()
  const digest = createHash('sha256')
  for (const name of files) digest.update(name).update(await readFile(join(sources, name)))
  const binary = join(directory, 'bin', `agent-${digest.digest('hex').slice(0, 16)}`)
  const there = await access(binary).then(
    () => true,
    () => false,
  )
  if (!there) await compile(files, binary)
  return binary
}

async function compile(files: string[], binary: string): Promise<void> {
  await mkdir(join(binary, '..'), { recursive: true })
  const made = `${binary}.${randomBytes(6).toString('hex')}`
  const units = files.filter((name) => name.endsWith('.c')).map((name) => join(sources, name))
  let last: unknown
  // Static first: it is smaller in memory, and needs no library of whatever root the VM has.
  for (const compiler of compilers) {
    for (const link of [['-static'], []]) {
      try {
        await run(compiler, ['-O2', ...link, '-o', made, ...units])
        await rename(made, binary)
        return
      } catch (error) {
        await rm(made, { force: true })
        last = error
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') break
      }
    }
  }
  throw new RemodelError(
    'unsupported',
    'the local provider needs a C compiler (cc, gcc or clang with the C library headers) to build its agent',
    {
      cause: last,
    },
  )
}
