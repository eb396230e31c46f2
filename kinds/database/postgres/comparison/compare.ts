import type { ComparedTable, Comparison, DifferingRow } from '../../api/comparison.ts'
import type { Session } from '../server.ts'
import { whatIsBehind } from './arrived.ts'
import { type Key, keyBehind, type Range, readPlainly, rowsIn, type Sum, sumOf, sumsOf } from './rows.ts'
import { type Compared, comparedTables } from './tables.ts'

export interface Limits {
  /** Rows that are looked at with one question. */
  batch: number
  /** Rows that are named, of each table. */
  named: number
  /** How often what differs is looked at again. */
  looks: number
  /** How long what is on its way has to arrive, each time. */
  arrivalMs: number
}

export const usualLimits: Limits = { batch: 10_000, named: 20, looks: 5, arrivalMs: 30_000 }

/** Rows without a key are compared in this many parts, by their digest. */
const parts = 4096

type Sessions = ReadonlyMap<string, Session>
/** Node -> what it has there; null: nothing. */
type On = Readonly<Record<string, string | null>>

/**
 * What the nodes of a database have, table by table, in batches by key: number of rows and a digest of each batch on
 * each node, and row by row where these differ. No moment is common to all nodes while they are written to, so what
 * differs is looked at again, when everything that was written before has arrived: a row that differs still, and that
 * no node has changed meanwhile, is not on its way. One that every look finds changed is no difference, and none that
 * can be ruled out: its table is `changing`.
 *
 * Nothing is locked, no transaction lasts longer than one batch, and never more than the rows of some batches are held.
 */
export async function compareNodes(sessions: Sessions, limits: Limits = usualLimits): Promise<Comparison> {
  await Promise.all([...sessions.values()].map(readPlainly))
  const behind = new Set(await whatIsBehind(sessions, limits.arrivalMs))
  const arrive = async () => {
    behind.clear()
    for (const one of await whatIsBehind(sessions, limits.arrivalMs)) behind.add(one)
  }
  const tables: ComparedTable[] = []
  for (const table of await comparedTables(sessions)) {
    const own = new Map([...sessions].filter(([node]) => table.on.includes(node)))
    const found =
      table.key.length > 0
        ? await byKey(own, table, { limits, arrive })
        : await byDigest(own, table, { limits, arrive })
    const whole = own.size === sessions.size && Object.keys(table.lacking).length === 0
    const nodes = [...sessions.keys()]
    tables.push({
      name: table.name,
      keyed: table.key.length > 0,
      lacking: table.lacking,
      ...found,
      rows: Object.fromEntries(nodes.map((node) => [node, found.rows[node] ?? null])),
      state: whole ? found.state : 'differs',
    })
  }
  return { nodes: [...sessions.keys()], tables, behind: [...behind] }
}

interface How {
  limits: Limits
  arrive: () => Promise<void>
}

type Found = Pick<ComparedTable, 'state' | 'rows' | 'digests' | 'differing' | 'more'>

/** The same question to all nodes at once. */
async function onAll<T>(sessions: Sessions, ask: (session: Session) => Promise<T>): Promise<Map<string, T>> {
  return new Map(await Promise.all([...sessions].map(async ([node, session]) => [node, await ask(session)] as const)))
}

const textOf = ({ rows, digest }: Sum) => `${rows} ${digest}`
const isSame = (all: Iterable<string | null>) => new Set(all).size < 2

async function byKey(sessions: Sessions, table: Compared, { limits, arrive }: How): Promise<Found> {
  const totals = new Totals(sessions.keys())
  const candidates = new Map<string, On>()
  let more = false
  for (let after: Key | null = null; ; ) {
    const range: Range = { after, upTo: await endOf(sessions, table, after, limits.batch) }
    const sums = await onAll(sessions, (session) => sumOf(session, table, range))
    totals.add(sums)
    if (!isSame([...sums.values()].map(textOf))) {
      const full = candidates.size >= limits.named * 2
      const rows = full ? new Map<string, On>() : await differingIn(sessions, table, { range, limit: limits.batch * 2 })
      for (const [key, on] of rows) candidates.set(key, on)
      if (full) more = true
    }
    if (range.upTo === null) break
    after = range.upTo
  }
  const look = (keys: readonly string[]) => rowsOf(sessions, table, keys)
  const { stable, changing } = await settle(candidates, { look, limits, arrive })
  const differing = [...stable].map(
    ([key, on]): DifferingRow => ({
      key: Object.fromEntries((JSON.parse(key) as Key).map((value, at) => [table.key[at]!.name, value])),
      on,
    }),
  )
  const state = differing.length > 0 ? 'differs' : changing > 0 ? 'changing' : 'same'
  const named = differing.slice(0, limits.named)
  return {
    ...totals.found,
    state,
    differing: named,
    more: state === 'differs' && (more || differing.length > named.length),
  }
}

/** Where the next batch ends: some node has a batch of rows up to there. */
async function endOf(sessions: Sessions, table: Compared, after: Key | null, rows: number): Promise<Key | null> {
  for (const session of sessions.values()) {
    const key = await keyBehind(session, table, after, rows)
    if (key !== null) return key
  }
  return null
}

async function differingIn(
  sessions: Sessions,
  table: Compared,
  { range, limit }: { range: Range; limit: number },
): Promise<Map<string, On>> {
  const rows = await onAll(sessions, (session) => rowsIn(session, table, range, limit))
  const keys = new Set([...rows.values()].flatMap((own) => [...own.keys()]))
  const found = new Map<string, On>()
  for (const key of keys) {
    const on = Object.fromEntries([...rows].map(([node, own]) => [node, own.get(key) ?? null]))
    if (!isSame(Object.values(on))) found.set(key, on)
  }
  return found
}

async function rowsOf(sessions: Sessions, table: Compared, keys: readonly string[]): Promise<Map<string, On>> {
  const found = new Map<string, On>()
  for (const text of keys) {
    const key = JSON.parse(text) as Key
    const on = await onAll(sessions, async (session) => {
      const [digest] = (await rowsIn(session, table, { only: key }, 1)).values()
      return digest ?? null
    })
    found.set(text, Object.fromEntries(on))
  }
  return found
}

async function byDigest(sessions: Sessions, table: Compared, { limits, arrive }: How): Promise<Found> {
  let last = new Map<string, Map<string, Sum>>()
  const look = async () => {
    last = await onAll(sessions, (session) => sumsOf(session, table, parts))
    const names = new Set([...last.values()].flatMap((own) => [...own.keys()]))
    return new Map(
      [...names].flatMap((part): [string, On][] => {
        const sums = [...last].map(([node, own]) => [node, own.has(part) ? textOf(own.get(part)!) : null] as const)
        return isSame(sums.map(([, sum]) => sum)) ? [] : [[part, Object.fromEntries(sums)]]
      }),
    )
  }
  const again = async (wanted: readonly string[]) => {
    const found = await look()
    return new Map(wanted.map((part) => [part, found.get(part) ?? {}]))
  }
  const { stable, changing } = await settle(await look(), { look: again, limits, arrive })
  const totals = new Totals(sessions.keys())
  for (const part of new Set([...last.values()].flatMap((own) => [...own.keys()])))
    totals.add(new Map([...last].flatMap(([node, own]) => (own.has(part) ? [[node, own.get(part)!] as const] : []))))
  const state = stable.size > 0 ? 'differs' : changing > 0 ? 'changing' : 'same'
  return { ...totals.found, state, differing: [], more: false }
}

/** Differences that no node has changed between two looks, when all rows written before the second one have arrived. */
async function settle(
  candidates: ReadonlyMap<string, On>,
  { look, limits, arrive }: How & { look: (keys: readonly string[]) => Promise<ReadonlyMap<string, On>> },
): Promise<{ stable: Map<string, On>; changing: number }> {
  const stable = new Map<string, On>()
  let open = new Map(candidates)
  for (let n = 0; n < limits.looks && open.size > 0; n++) {
    await arrive()
    const now = await look([...open.keys()])
    const changed = new Map<string, On>()
    for (const [key, before] of open) {
      const on = now.get(key) ?? {}
      if (isSame(Object.values(on))) continue
      if (Object.entries(on).every(([node, one]) => before[node] === one)) stable.set(key, on)
      else changed.set(key, on)
    }
    open = changed
  }
  return { stable, changing: open.size }
}

/** Rows and digests of all batches. */
class Totals {
  readonly #rows = new Map<string, number>()
  readonly #digests = new Map<string, bigint>()

  constructor(nodes: Iterable<string>) {
    for (const node of nodes) {
      this.#rows.set(node, 0)
      this.#digests.set(node, 0n)
    }
  }

  add(sums: ReadonlyMap<string, Sum>): void {
    for (const [node, { rows, digest }] of sums) {
      this.#rows.set(node, this.#rows.get(node)! + rows)
      this.#digests.set(node, this.#digests.get(node)! + BigInt(digest))
    }
  }

  get found(): Pick<ComparedTable, 'rows' | 'digests'> {
    const hex = (digest: bigint) => BigInt.asUintN(64, digest).toString(16).padStart(16, '0')
    return {
      rows: Object.fromEntries(this.#rows),
      digests: Object.fromEntries([...this.#digests].map(([node, digest]) => [node, hex(digest)])),
    }
  }
}
