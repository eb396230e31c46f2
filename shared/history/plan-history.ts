import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Blobstore } from '../blobstore/blobstore.ts'
import type { LedgerEvent } from '../ledger/records.ts'
import { type Plan, type Remodel, type RemodelState, storedRemodel } from '../model/plan.ts'
import { RemodelError } from '../runtime/errors.ts'

/** What a worker's attempts at a remodel left behind: JSON of the ledger's. */
export interface Run {
  attempt?: number
  releases?: number
  /** As text: it has more digits than JSON of a script would keep. */
  fence?: string | number
  worker?: string
  startedAt?: number
  finishedAt?: number
  waits?: { on: string; since: number; deadline?: number }
}

/** One line of the blob of a plan that ended. */
export type HistoryLine =
  | ['plan', Omit<Plan, 'remodels'>]
  /** `order` is its place in the plan. */
  | ['remodel', { order: number; remodel: Remodel; state: RemodelState; run: Run }]
  | ['event', LedgerEvent]

export interface EndedPlan {
  plan: Plan
  states: ReadonlyMap<string, { state: RemodelState; run: Run }>
  events: readonly LedgerEvent[]
}

/** The plan that was read last is likely asked for again: a page of its events, its table, one of its remodels. */
const rememberMs = 10_000

/**
 * Plans that have ended, each as one blob: lines of JSON, compressed. They are as large as they like there; the ledger
 * keeps a small record that names the blob, and reads on from here (`LedgerReader`).
 */
export class PlanHistory {
  readonly #blobs: Blobstore
  #last: { digest: string; read: Promise<EndedPlan> } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(blobs: Blobstore) {
    this.#blobs = blobs
  }

  /** Answers the digest of the blob. Lines may come in any order. */
  async write(lines: AsyncIterable<HistoryLine>): Promise<string> {
    const text = async function* () {
      for await (const line of lines) yield `${JSON.stringify(line)}\n`
    }
    const packed = createGzip()
    const [{ digest }] = await Promise.all([this.#blobs.put(packed), pipeline(Readable.from(text()), packed)])
    return digest
  }

  /** Throws `not-found` where the blob is gone, `infrastructure` where it is broken. */
  read(digest: string): Promise<EndedPlan> {
    if (this.#last?.digest !== digest) {
      const last = { digest, read: this.#read(digest) }
      this.#last = last
      // A blob that cannot be read now may be there again later.
      last.read.catch(() => this.#forget())
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#forget(), rememberMs).unref()
    return this.#last!.read
  }

  #forget(): void {
    this.#last = undefined
  }

  async #read(digest: string): Promise<EndedPlan> {
    let header: Omit<Plan, 'remodels'> | undefined
    const events: LedgerEvent[] = []
    const found = new Map<string, { order: number; remodel: Remodel; state: RemodelState; run: Run }>()
    const unpacked = createGunzip()
    const reading = pipeline(await this.#blobs.stream(digest), unpacked)
    const lines = createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY })
    for await (const text of lines) {
      const line = JSON.parse(text) as HistoryLine
      if (line[0] === 'plan') header = headerOf(line[1])
      else if (line[0] === 'event') events.push(line[1])
      else found.set(line[1].remodel.id, { ...line[1], remodel: storedRemodel(line[1].remodel) })
    }
    await reading
    if (!header) throw new RemodelError('infrastructure', `blob ${digest} is no plan that ended`)
    const ordered = [...found.values()].sort((a, b) => a.order - b.order)
    return {
      plan: { ...header, remodels: ordered.map(({ remodel }) => remodel) },
      states: new Map(ordered.map(({ remodel, state, run }) => [remodel.id, { state, run }])),
      events: events.sort((a, b) => a.seq - b.seq),
    }
  }
}

/** Of a plan that the version before has moved here, which called permits places. */
function headerOf({
  places,
  ...header
}: Omit<Plan, 'remodels'> & { places?: Plan['permits'] }): Omit<Plan, 'remodels'> {
  return places === undefined ? header : { ...header, permits: places }
}
