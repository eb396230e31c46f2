import type { ReadLine } from '../archiving/line.ts'
import { linkName, placeOrigin, placesOf } from '../postgres/names.ts'
import { literal, type Session } from '../postgres/server.ts'
import { until } from './primary.ts'

/**
 * How far a node had come with what another one writes, over the time in which it has no subscription to it. PostgreSQL
 * knows that by an origin that goes with the subscription, and a new one would begin at what its slot last heard: rows
 * that came since would come twice. So it is kept by an origin of its own, which replicas have too. A position means
 * something in one line of the provider's data only: a subscription carries the line that it reads as its comment, and
 * the place carries it in its name. It is forgotten when a subscription runs again.
 */
interface Link {
  provider: string
  subscriber: string
}

const remark = /^reads line ([0-9a-f]+)$/
const workerMs = 60_000

/** The comment of a subscription. */
export const remarkOf = (line: string) => `reads line ${line}`

/** The line that a subscription with this comment reads; null where it does not say. */
export function lineIn(comment: unknown): string | null {
  return remark.exec(String(comment))?.[1] ?? null
}

/** Ends what a subscription does, and keeps its place. Nothing is kept of one that does not say which line it reads. */
export async function keepPlace(session: Session, link: Link, signal: AbortSignal): Promise<void> {
  const name = linkName(link.provider, link.subscriber)
  if (!(await stopReading(session, name, signal))) return
  const of = 'FROM pg_subscription WHERE subname = $1'
  const [own] = await session.query(
    `SELECT obj_description(oid, 'pg_subscription') AS comment, pg_replication_origin_progress('pg_' || oid, true)::text AS position ${of}`,
    [name],
  )
  const line = lineIn(own?.comment)
  if (line !== null) await moveOrigin(session, placeOrigin(link.provider, line), String(own?.position ?? '0/0'))
}

/** A subscription does not run any more. False where there is none. */
export async function stopReading(session: Session, name: string, signal: AbortSignal): Promise<boolean> {
  if ((await session.value('SELECT 1 FROM pg_subscription WHERE subname = $1', [name])) === null) return false
  await session.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
  await until(`the worker of ${name} ending`, signal, workerMs, async () => {
    const running = 'FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL'
    await session.query(`SELECT pg_terminate_backend(pid, 1000) ${running}`, [name])
    return (await session.value(`SELECT 1 ${running}`, [name])) === null
  })
  return true
}

/** A subscription that has not run yet begins at the place that was kept. Answers whether there is one. */
export async function takeUpPlace(session: Session, { provider, subscriber }: Link, line: ReadLine): Promise<boolean> {
  const [found] = await session.query(
    `SELECT least(pg_replication_origin_progress(roname, true), until)::text AS position
     FROM unnest($1::text[], $2::pg_lsn[]) WITH ORDINALITY AS place (name, until, number)
     JOIN pg_replication_origin ON roname = name ORDER BY number LIMIT 1`,
    [placesIn(provider, line), [null, ...line.before.values()]],
  )
  if (!found) return false
  const own = await session.value(`SELECT 'pg_' || oid FROM pg_subscription WHERE subname = $1`, [
    linkName(provider, subscriber),
  ])
  await moveOrigin(session, String(own), String(found.position ?? '0/0'))
  return true
}

/**
 * A subscription that reads what a line forked from reads that line from now on: what its provider has not any more
 * is not counted as read. It does not run behind this. False, with nothing done, where it reads another one.
 */
export async function goOnInFork(
  session: Session,
  name: string,
  line: ReadLine,
  signal: AbortSignal,
): Promise<boolean> {
  const of = 'FROM pg_subscription WHERE subname = $1'
  const comment = await session.value(`SELECT obj_description(oid, 'pg_subscription') ${of}`, [name])
  const until = line.before.get(lineIn(comment) ?? '')
  if (until === undefined) return false
  await stopReading(session, name, signal)
  await session.query('BEGIN')
  await session.query(
    `SELECT pg_replication_origin_advance('pg_' || oid, $2::pg_lsn) ${of} AND pg_replication_origin_progress('pg_' || oid, true) > $2::pg_lsn`,
    [name, until],
  )
  await session.query(`COMMENT ON SUBSCRIPTION ${name} IS ${literal(remarkOf(line.name))}`)
  await session.query('COMMIT')
  return true
}

/** Where a place may be kept that still means something: in its line, and in those that forked into it. */
export function placesIn(provider: string, { name, before }: ReadLine): string[] {
  return [name, ...before.keys()].map((line) => placeOrigin(provider, line))
}

/** Of all lines. */
export async function forgetPlaces(session: Session, provider: string): Promise<void> {
  await session.query(
    'SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE starts_with(roname, $1)',
    [placesOf(provider)],
  )
}

/** Makes an origin where there is none; it never goes back. */
export async function moveOrigin(session: Session, origin: string, position: string): Promise<void> {
  const known = await session.value('SELECT 1 FROM pg_replication_origin WHERE roname = $1', [origin])
  if (known === null) await session.query('SELECT pg_replication_origin_create($1)', [origin])
  await session.query(
    `SELECT pg_replication_origin_advance($1, $2::pg_lsn)
     WHERE coalesce(pg_replication_origin_progress($1, true), '0/0') < $2::pg_lsn`,
    [origin, position],
  )
}
