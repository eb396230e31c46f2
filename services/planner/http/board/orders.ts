import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Readable } from '../../../../kinds/contract/readable.ts'
import { SourceDocument } from '../../../../shared/source/document.ts'

const hidden = '***'

/**
 * An order of `deploys` as the board shows it: what it deploys can be read, and every value that may be a secret is
 * `***`. By what its kinds say may be shown, not by what sounds like a password: a property may be called anything.
 */
export function maskOrder(order: unknown, kinds: readonly Readable[]): unknown {
  if (!isMap(order)) return hidden
  const keys = {
    walked: new Set(kinds.flatMap(({ walked }) => walked)),
    shown: new Set(['name', 'kind', ...kinds.flatMap(({ shown }) => shown)]),
  }
  const file = (value: unknown) => maskFile(value, keys)
  const files = (value: unknown): unknown => (Array.isArray(value) ? value.map(file) : hidden)
  const known: Record<string, (value: unknown) => unknown> = {
    manifest: file,
    cloudConfigs: files,
    releases: (value) => value,
    options: (value) => value,
    by: (value) => value,
    holder: (value) => value,
    message: (value) => value,
  }
  return Object.fromEntries(Object.entries(order).map(([key, value]) => [key, known[key]?.(value) ?? hidden]))
}

interface Keys {
  walked: ReadonlySet<string>
  shown: ReadonlySet<string>
}

function maskFile(value: unknown, keys: Keys): unknown {
  if (!isMap(value) || typeof value.content !== 'string') return hidden
  return { name: value.name, content: maskText(value.content, keys) }
}

/** Reading holds up everything else; of a longer document the user has the file. */
const longest = 200_000

function maskText(text: string, keys: Keys): unknown {
  if (text.length > longest) return `${text.length} characters: too long to be shown here`
  try {
    return maskValue(new SourceDocument('job', text).value, keys)
  } catch {
    return 'no YAML, so it is not shown'
  }
}

function maskValue(value: unknown, keys: Keys, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => maskValue(one, keys, key))
  if (!isMap(value)) return keys.shown.has(key) ? value : hidden
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (!isMap(one) && !(Array.isArray(one) && one.some((part) => isMap(part) || Array.isArray(part))))
        return [name, maskValue(one, keys, name)]
      return [name, keys.walked.has(name) ? maskValue(one, keys, name) : hidden]
    }),
  )
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Jobs = Awaited<ReturnType<BullMQAdapter['getJobs']>>

/** The queue `deploys`: why an order was refused may quote a value of its manifest. */
export class OrdersAdapter extends BullMQAdapter {
  override async getJobs(...asked: Parameters<BullMQAdapter['getJobs']>): Promise<Jobs> {
    return (await super.getJobs(...asked)).map(withoutQuotes)
  }

  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    const job = await super.getJob(id)
    return job && withoutQuotes(job)
  }
}

function withoutQuotes<Job extends Jobs[number]>(job: Job): Job {
  const shownOf = (text: string) => text.replaceAll(/\(found .*/g, `(found ${hidden})`)
  if (job.failedReason) job.failedReason = shownOf(job.failedReason)
  if (job.stacktrace) job.stacktrace = job.stacktrace.map(shownOf)
  return job
}
