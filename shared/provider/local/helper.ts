import { spawn } from 'node:child_process'
import { type ErrorCode, RemodelError } from '../../runtime/errors.ts'
import type { Fence } from '../provider.ts'

/** The verbs of the agent binary that change the directory; also the names of effects and of injected failures. */
export type Verb =
  | 'create_vm'
  | 'delete_vm'
  | 'create_disk'
  | 'resize_disk'
  | 'delete_disk'
  | 'attach_disk'
  | 'detach_disk'
  | 'fence_off'

/** One change of the directory, under a fence. */
export interface Change<Name = Verb> {
  verb: Name
  words: readonly string[]
  fence: Fence | null
}

/**
 * Runs one change in a process of its own session: it holds the lock, checks the fence and makes the change, so that
 * this process may be frozen or killed without anybody waiting for it. Returns the words after `ok`.
 */
export function runHelper(
  { binary, directory }: { binary: string; directory: string },
  { verb, words, fence }: Change<Verb | 'prune'>,
  signal?: AbortSignal,
): Promise<string[]> {
  if (signal?.aborted) return Promise.reject(cancelled(verb, signal))
  return new Promise((resolve, reject) => {
    // PID 1 of a machine is forked from the helper and shows its environment: what this process has in its own is no
    // business of any machine (REDIS_URL with its password, AWS_*).
    const failpoint = process.env.REMODEL_LOCAL_FAILPOINT
    const argv = failpoint === undefined ? [verb] : [verb, failpoint]
    const child = spawn(binary, argv, { cwd: directory, detached: true, env: {}, stdio: ['pipe', 'pipe', 'ignore'] })
    const answer: Buffer[] = []
    const abort = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', abort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => answer.push(chunk))
    // A helper that died early shows in its exit; the broken pipe says nothing more.
    child.stdin.on('error', () => {})
    child.stdin.end([...words, fence?.scope ?? '', String(fence?.number ?? 0), String(process.pid), ''].join('\0'))
    child.on('error', (cause) => {
      signal?.removeEventListener('abort', abort)
      reject(new RemodelError('infrastructure', `${verb}: the helper cannot be started`, { cause }))
    })
    child.on('close', (status, killedBy) => {
      signal?.removeEventListener('abort', abort)
      const [first, ...rest] = Buffer.concat(answer).toString().split('\0').slice(0, -1)
      if (first === 'ok') resolve(rest)
      else if (first === 'error') reject(new RemodelError(rest[0] as ErrorCode, rest[1] ?? verb))
      else if (signal?.aborted) reject(cancelled(verb, signal))
      else reject(new RemodelError('infrastructure', `${verb}: the helper ended early (${killedBy ?? status})`))
    })
  })
}

function cancelled(verb: string, signal: AbortSignal): RemodelError {
  return new RemodelError('cancelled', `${verb} was cancelled`, { cause: signal.reason })
}
