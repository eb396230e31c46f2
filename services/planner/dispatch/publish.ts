import { setTimeout as sleep } from 'node:timers/promises'
import type { CompileRequests, CompileSpec } from '../../../shared/compile/requests.ts'
import { failpoint } from '../../../shared/failpoint.ts'
import type { Ledger, Released } from '../../../shared/ledger/ledger.ts'
import type { Remodel } from '../../../shared/model/plan.ts'
import { jobId, type QueueName } from '../../../shared/queue/catalog.ts'
import type { Queues } from '../../../shared/queue/queues.ts'

/** BullMQ's largest priority number; smaller goes first. */
const lowest = 2 ** 21 - 1

/** How many jobs are published at once, before the first look whether more are needed. */
const firstPart = 64
const partPauseMs = 20

/**
 * A job whose worker could not end it (Redis refused a write, a claim was lost) comes again by itself: as a failed job it
 * would be kept, and its id would swallow every later one of the same release. The ledger alone says when it is enough.
 */
const again = { attempts: 1_000_000, backoff: { type: 'fixed', delay: 1000 } }

/** Puts released remodels on their queues. Publishing one twice is harmless: a job id names one release. */
export class Publisher {
  readonly #ledger: Ledger
  readonly #queues: Queues
  readonly #requests: CompileRequests

  constructor(ledger: Ledger, queues: Queues, requests: CompileRequests) {
    this.#ledger = ledger
    this.#queues = queues
    this.#requests = requests
  }

  async publish(deployment: string, released: readonly Released[]): Promise<void> {
    for (const [queue, items] of Map.groupBy(released, (item) => item.queue)) {
      if (queue === 'compile') await Promise.all(items.map((item) => this.#publishCompile(deployment, item)))
      else await this.#publishRemodels(queue as QueueName, deployment, items)
    }
    await failpoint('dispatch.published')
  }

  /** Under which ids these are published, by queue. */
  async jobIds(deployment: string, released: readonly Released[]): Promise<Map<QueueName, string[]>> {
    const ids = new Map<QueueName, string[]>()
    for (const [queue, items] of Map.groupBy(released, (item) => item.queue as QueueName)) {
      const published =
        queue === 'compile'
          ? items.map((item) => this.#compileJobId(deployment, item))
          : items.map(({ plan, remodel, release }) => jobId(plan, remodel, release))
      ids.set(queue, await Promise.all(published))
    }
    return ids
  }

  async #compileJobId(deployment: string, { plan, remodel, weight }: Released): Promise<string> {
    const spec = (await this.#remodel(deployment, plan, remodel)).input as unknown as CompileSpec
    const { n } = await this.#requests.join(spec, { deployment, plan, remodel }, weight)
    return jobId(spec.key, n)
  }

  /**
   * Many ready remodels are published in growing parts: workers that are done with a quick one take the next along by
   * themselves (`complete.lua`), so of a thousand that cost nothing most never need a job, and a thousand slow ones are
   * all published within a few dozen milliseconds.
   */
  async #publishRemodels(queue: QueueName, deployment: string, items: readonly Released[]): Promise<void> {
    let part = items.slice(0, firstPart)
    for (let next = firstPart, size = 2 * firstPart; ; next += size, size *= 2) {
      await this.#queues.get(queue).addBulk(
        part.map(({ plan, remodel, release, weight, delay }) => ({
          name: remodel,
          data: { deployment, plan, remodel, release },
          opts: { jobId: jobId(plan, remodel, release), ...again, ...timing(weight, delay) },
        })),
      )
      if (next >= items.length) return
      await sleep(partPauseMs)
      part = await this.#ledger.stillReleased(deployment, items.slice(next, next + size))
    }
  }

  /** One job for each package key, whoever asks: the remodel subscribes to it. Deployments take turns (`join.lua`). */
  async #publishCompile(deployment: string, { plan, remodel, weight, delay }: Released): Promise<void> {
    const spec = (await this.#remodel(deployment, plan, remodel)).input as unknown as CompileSpec
    const { n, turn } = await this.#requests.join(spec, { deployment, plan, remodel }, weight)
    await failpoint('dispatch.joined')
    await this.#queues
      .get('compile')
      .add(
        `${spec.name} ${spec.key.slice(0, 12)} on ${spec.stemcell.os}/${spec.stemcell.version}`,
        { key: spec.key },
        { jobId: jobId(spec.key, n), ...again, ...timing(0, delay), priority: Math.min(turn, lowest) },
      )
  }

  async #remodel(deployment: string, plan: string, remodel: string): Promise<Remodel> {
    const text = await this.#ledger.redis.hget(`${this.#ledger.base(deployment)}:plan:${plan}:remodels`, remodel)
    return JSON.parse(text ?? '{}')
  }
}

function timing(weight: number, delay: number): { priority?: number; delay?: number } {
  return {
    ...(weight > 0 ? { priority: Math.max(1, lowest - Math.min(Math.round(weight), lowest - 1)) } : {}),
    ...(delay > 0 ? { delay } : {}),
  }
}
