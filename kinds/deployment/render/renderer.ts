import { createHash } from 'node:crypto'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import { invalidInput } from '../../../shared/source/document.ts'
import type { Render, RenderRequest, RenderResult, Supervision } from '../rendering.ts'
import { readArchive } from './archive.ts'
import { BUNDLE_FORMAT } from './bundle.ts'
import { RenderCache } from './cache.ts'
import { type Finding, findingOf } from './fault.ts'
import { type PreparedJob, prepareJob } from './job.ts'
import { RubyPool } from './pool.ts'
import { RUBY_SIDE } from './ruby-side.ts'
import { Semaphore } from './semaphore.ts'
import { supervisionIn } from './supervision.ts'

export interface RendererOptions {
  blobs: Blobstore
  /** Where results are remembered across restarts; without it in memory only. */
  cacheDirectory?: string
  /**
   * The maximum number of threads with a Ruby each; started when there is work for them. Default:
   * one per core, 4 at most.
   */
  threads?: number
  /** Milliseconds for all templates of one request. Default: 10,000. */
  limit?: number
}

export interface RenderedFile {
  path: string
  mode: number
  content: Buffer
}

type Outcome = { digest: string; supervision: Supervision } | { finding: Finding }

/** Part of every key: another renderer may give other bytes. */
const RENDERER = `${BUNDLE_FORMAT}:${RUBY_SIDE}:supervised-5`
/** Archives whose templates stay in memory. */
const JOBS_KEPT = 500
/** Bundles of which it stays in memory what they have supervised. */
const SUPERVISION_KEPT = 200_000
/** Bundles on their way into the blobstore at once. */
const PUTS = 32

/**
 * Renders jobs: archive and context -> a tar.gz in the blobstore with each template at its destination and `monit`.
 *
 * Nothing is rendered twice: equal requests of one call, of calls at the same time and of earlier calls share one
 * result. Results are secret; only their digests are remembered.
 */
export class TemplateRenderer {
  readonly #blobs: Blobstore
  readonly #cache: RenderCache
  readonly #pool: RubyPool
  readonly #limit: number
  readonly #jobs = new Map<string, Promise<PreparedJob>>()
  readonly #underWay = new Map<string, Promise<Outcome>>()
  readonly #puts = new Semaphore(PUTS)
  readonly #supervision = new Map<string, Supervision>()
  /** Contexts that Ruby really worked on; for tests and metrics. */
  rendered = 0

  constructor({ blobs, cacheDirectory, threads, limit = 10_000 }: RendererOptions) {
    this.#blobs = blobs
    this.#cache = new RenderCache(blobs, cacheDirectory)
    this.#limit = limit
    this.#pool = new RubyPool({ limit, ...(threads === undefined ? {} : { threads }) })
  }

  /**
   * One result per request, in order. A fault of a template is a result; throws only where nothing can be said about
   * the templates: `not-found` (no such archive), `infrastructure`, `unsupported`, `cancelled`.
   */
  readonly render: Render = async (requests) => {
    const settled = await Promise.allSettled(requests.map((request) => this.#outcome(request)))
    await this.#cache.flush()
    return settled.map((result, index): RenderResult => {
      if (result.status === 'rejected') throw result.reason
      if ('digest' in result.value) return result.value
      return { fault: { ...requests[index]!.place, ...result.value.finding } }
    })
  }

  /** The rendered files themselves, for `remodel render` and for people. Throws `invalid-input` on a fault. */
  async renderFiles(request: RenderRequest): Promise<{ digest: string; files: RenderedFile[] }> {
    const [result] = await this.render([request])
    if (!result || 'fault' in result) throw invalidInput(result ? [result.fault] : [])
    const found = await readArchive(await this.#blobs.get(result.digest))
    return { digest: result.digest, files: [...found].map(([path, { content, mode }]) => ({ path, mode, content })) }
  }

  /** Ends the threads. Requests that wait are rejected with `cancelled`. */
  async close(): Promise<void> {
    await this.#pool.close()
    await Promise.allSettled(this.#underWay.values())
  }

  /** Ids of the threads that run now. */
  get threads(): number[] {
    return this.#pool.threads
  }

  #outcome(request: RenderRequest): Promise<Outcome> {
    const context = JSON.stringify(request.context)
    const job = `${request.job.digest} ${request.job.name} ${JSON.stringify(request.job.templates)}`
    const key = createHash('sha256').update(`${RENDERER}\n${job}\n${context}`).digest('hex')
    const known = this.#underWay.get(key)
    if (known) return known
    const outcome = this.#work(key, job, request, context).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, outcome)
    return outcome
  }

  async #work(key: string, jobId: string, request: RenderRequest, context: string): Promise<Outcome> {
    const cached = await this.#cache.find(key)
    if (cached !== undefined) return { digest: cached, supervision: await this.#supervisionOf(cached) }
    const job = await this.#job(jobId, request)
    if (job.faults.length > 0) return { finding: { message: job.faults.join('; ') } }
    this.rendered++
    const answer = await this.#pool.render(job, context)
    if (!('rendered' in answer)) return { finding: findingOf(answer, job, request.context, this.#limit) }
    const { digest, content } = answer.rendered
    await this.#puts.take(() => this.#blobs.put(content, digest))
    this.#cache.set(key, digest)
    return { digest, supervision: await this.#supervisionOf(digest, Buffer.from(content)) }
  }

  /** The file of the cache holds digests only, so after a restart a bundle is read once. */
  async #supervisionOf(digest: string, content?: Buffer): Promise<Supervision> {
    const known = this.#supervision.get(digest)
    if (known) return known
    const files = await this.#puts.take(async () => readArchive(content ?? (await this.#blobs.get(digest))))
    const found = supervisionIn(files)
    this.#supervision.set(digest, found)
    const oldest = this.#supervision.keys().next().value
    if (this.#supervision.size > SUPERVISION_KEPT && oldest !== undefined) this.#supervision.delete(oldest)
    return found
  }

  #job(id: string, { job }: RenderRequest): Promise<PreparedJob> {
    const known = this.#jobs.get(id)
    if (known) return known
    const prepared = this.#blobs.get(job.digest).then((archive) => prepareJob(id, job, archive))
    this.#jobs.set(id, prepared)
    prepared.catch(() => this.#jobs.delete(id))
    const oldest = this.#jobs.keys().next().value
    if (this.#jobs.size > JOBS_KEPT && oldest !== undefined) this.#jobs.delete(oldest)
    return prepared
  }
}
