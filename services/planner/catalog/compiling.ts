import { makespan, remainingPaths, usualMs } from '../../../kinds/contract/weigh.ts'
import type { KindRegistry } from '../../../kinds/registry.ts'
import type { Compiling } from '../../../shared/api/schemas/compiling.ts'
import { RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import { type Durations, RedisDurations } from '../../../shared/compilation/durations.ts'
import { CompileRequests } from '../../../shared/compilation/requests.ts'
import { CompileSpec } from '../../../shared/compilation/spec.ts'
import type { LedgerReader } from '../../../shared/ledger/reader.ts'
import type { RemodelRecord } from '../../../shared/ledger/records.ts'
import { Claims } from '../../../shared/lock/claims.ts'
import type { Plan } from '../../../shared/model/plan.ts'

const over = new Set(['done', 'failed', 'skipped'])

/**
 * The state of a plan's packages at this moment: compiled already, being compiled for another plan, or left to do, and
 * how long that may take. It is shown beside the plan and is no part of it, because it changes from second to second.
 */
export class CompilingNow {
  readonly #compiled: RedisCompiledIndex
  readonly #durations: Durations
  readonly #requests: CompileRequests
  readonly #claims: Claims
  readonly #kinds: Pick<KindRegistry, 'find'>

  constructor({ redis, settings }: Pick<LedgerReader, 'redis' | 'settings'>, kinds: Pick<KindRegistry, 'find'>) {
    this.#kinds = kinds
    this.#compiled = new RedisCompiledIndex(redis, settings)
    this.#durations = new RedisDurations(redis, settings)
    this.#requests = new CompileRequests(redis, settings)
    this.#claims = new Claims(redis, settings)
  }

  /** Null where the plan needs no packages. */
  async read(plan: Plan, records: readonly RemodelRecord[]): Promise<Compiling | null> {
    const kind = this.#kinds.find(plan.kind)
    const needed = new Set(plan.remodels.flatMap((remodel) => kind?.packagesOf?.(remodel) ?? []))
    if (needed.size === 0) return null
    const states = new Map(records.map(({ id, state }) => [id, state]))
    const open = plan.remodels.filter((one) => one.queue === 'compile' && !over.has(states.get(one.id) ?? ''))
    const specs = open.map(({ input }) => CompileSpec.parse(input))
    const [there, took] = await Promise.all([
      this.#compiled.known([...needed]),
      this.#durations.find(specs.map((spec) => ({ ...spec, os: spec.stemcell.os }))),
    ])
    const usual = usualMs(took.flatMap((one) => one?.ms ?? []))
    const works = await this.of(specs.map(({ key }) => key).filter((key) => !there.has(key)))
    const packages = open.map(({ id: remodel }, i): Compiling['packages'][number] => {
      const { key, name } = specs[i]!
      const [one, sameSource] = [took[i], took[i]?.sameSource ?? false]
      const common = { remodel, name, key, estimateMs: one?.ms ?? usual, measured: one != null, sameSource }
      if (there.has(key)) return { ...common, how: 'hit', for: null, since: null }
      const work = works.get(key)
      if (!work) return { ...common, how: 'compile', for: null, since: null }
      return { ...common, how: work.plan === plan.id ? 'compile' : 'join', for: work.deployment, since: work.since }
    })
    const now = Date.now()
    const left = open.flatMap(({ id, needs }, i) => {
      const { how, estimateMs, since } = packages[i]!
      return how === 'hit' ? [] : [{ id, needs, ms: Math.max(0, estimateMs - (since === null ? 0 : now - since)) }]
    })
    const workers = plan.windows.find((window) => window.name === 'compile')?.limit ?? 1
    return {
      hits: there.size,
      packages,
      workers,
      longestMs: Math.round(Math.max(0, ...remainingPaths(left).values())),
      estimateMs: Math.round(makespan(left, workers)),
    }
  }

  /**
   * The plans for which keys are compiled; `since` is null while a key waits in the queue. Keys without
   * a request are left out.
   */
  async of(keys: readonly string[]): Promise<Map<string, { deployment: string; plan: string; since: number | null }>> {
    const asked = [...(await this.#requests.asked(keys))]
    const holders = await Promise.all(asked.map(([key]) => this.#claims.holder(this.#requests.claimKey(key))))
    return new Map(
      asked.map(([key, { deployment, plan }], i) => [key, { deployment, plan, since: holders[i]?.since ?? null }]),
    )
  }
}
