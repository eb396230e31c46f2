import { z } from 'zod'
import { packageName } from '../../../shared/compilation/phrase.ts'
import type { CompileRequests } from '../../../shared/compilation/requests.ts'
import { CompileSpec } from '../../../shared/compilation/spec.ts'
import type { Ledger, Released } from '../../../shared/ledger/ledger.ts'
import { boardName, jobId, type QueueName } from '../../../shared/queue/payloads.ts'
import type { Queues } from '../../../shared/queue/queues.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'

/** What a later planner may have written into a spec is for the worker to read. */
const Compile = z.object({ input: CompileSpec.loose() })

/** BullMQ's largest priority number; smaller goes first. */
const lowest = 2 ** 21

/**
 * A job whose worker could not end it (Redis refused a write, a claim was lost) comes again by itself: as a
 * failed job it would be kept, and its id would swallow every later one of the same release. The ledger alone
 * says when it is enough.
 */
const again = { attempts: 1_000_000, backoff: { type: 'fixed', delay: 1000 } }

/**
 * Puts released remodels on their queues. Publishing one twice is harmless: a job id names one release.
 *
 * Deployments take turns. A job's turn is a number, the smallest goes first: one more than the turn that the
 * queue has come to and than what its own deployment has on the queue already. So a deployment with thousands of
 * remodels is never more than one ahead of one that comes with a single one. Of one deployment the ledger hands
 * out the most urgent first.
 */
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

  /** Under which id a remodel is published; null where its package is not asked for (any more). */
  async jobIdOf(deployment: string, { plan, remodel, queue, release }: Released): Promise<string | null> {
    if (queue !== 'compile') return jobId(plan, remodel, release)
    const { key } = await this.#specOf(deployment, plan, remodel)
    const n = await this.#requests.numberFor(key, { deployment, plan, remodel })
    return n === null ? null : jobId(key, n)
  }

  async #publishRemodels(queue: QueueName, deployment: string, items: readonly Released[]): Promise<void> {
    const served = await this.#queues.turn(queue)
    await this.#queues.get(queue).addBulk(
      items.map(({ plan, remodel, release, ahead }) => ({
        name: boardName(deployment, remodel),
        data: { deployment, plan, remodel, release },
        opts: { jobId: jobId(plan, remodel, release), ...again, priority: Math.min(served + ahead + 1, lowest) },
      })),
    )
  }

  /** One job for each package key, for all plans: the remodel subscribes to it. Deployments take turns (`join.lua`). */
  async #publishCompile(deployment: string, { plan, remodel, weight }: Released): Promise<void> {
    const spec = await this.#specOf(deployment, plan, remodel)
    const { n, turn, by } = await this.#requests.join(spec, { deployment, plan, remodel }, weight)
    await failpoint('dispatch.joined')
    await this.#queues
      .get('compile')
      .add(
        boardName(by.deployment, packageName(spec)),
        { key: spec.key, deployment: by.deployment, plan: by.plan },
        { jobId: jobId(spec.key, n), ...again, priority: Math.min(turn, lowest) },
      )
  }

  async #specOf(deployment: string, plan: string, remodel: string): Promise<CompileSpec> {
    const text = await this.#ledger.redis.hget(`${this.#ledger.base(deployment)}:plan:${plan}:remodels`, remodel)
    if (text === null) throw new RemodelError('not-found', `plan ${plan} has no remodel ${remodel}`)
    return Compile.parse(JSON.parse(text)).input
  }
}
