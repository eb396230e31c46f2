import type { Job } from 'bullmq'
import type { Rebuilds } from '../../shared/compilation/rebuilds.ts'
import { JobFailure } from '../../shared/queue/failure.ts'
import { isRetryable, RemodelError, toError } from '../../shared/runtime/errors.ts'
import { compile } from './compile.ts'
import { gather } from './gather.ts'
import { onVm } from './on-vm.ts'
import type { Tools } from './serve.ts'

/**
 * Compiles a package a second time and reports the digest. The package in use stays: neither the compiled index nor any
 * remodel hears of it. A job may be delivered again after any crash; the first report counts.
 */
export async function rebuild(
  { check, n }: { check: string; n: number },
  signal: AbortSignal,
  job: Job,
  tools: Tools & { rebuilds: Rebuilds },
): Promise<string | JobFailure> {
  const asked = await tools.rebuilds.open(check, n)
  if (!asked) return 'there is no request for it any more'
  const { spec } = asked
  try {
    const found = await tools.compiled.find(spec.dependencies.map((need) => need.key))
    const inputs = await gather(spec, found, tools)
    const attempt = job.attemptsStarted
    const { stored, durationMs } = await onVm(
      { spec, attempt, fence: { scope: `rebuild/${check}/${n}`, number: attempt } },
      signal,
      tools,
      (connection) => compile(connection, { spec, inputs, store: (archive) => tools.blobs.put(archive) }, signal),
    )
    const { digest } = stored
    await tools.rebuilds.report(check, n, { digest, durationMs })
    return digest === asked.digest ? 'the same came out' : `another archive came out: ${digest}`
  } catch (error) {
    if (signal.aborted) throw error
    const { message } = toError(error)
    const code = error instanceof RemodelError ? error.code : 'infrastructure'
    if (isRetryable(error) && job.attemptsMade + 1 < (job.opts.attempts ?? 1)) throw error
    const log = error instanceof RemodelError ? error.details.log : undefined
    await tools.rebuilds.report(check, n, { code, message, ...(typeof log === 'string' ? { log } : {}) })
    return new JobFailure(`${code}: ${message}`, typeof log === 'string' ? log : undefined)
  }
}
