import { RemodelError } from '../../../shared/runtime/errors.ts'
import { readAsOwner } from './as-role.ts'
import { shareOf, stride } from './number-shares.ts'
import type { Row, Session } from './server.ts'

/** Numbers that other nodes may have drawn and whose rows are on their way, where a sequence was in use before. */
const onTheirWay = 1000n
/**
 * A transaction that has drawn a number and goes on keeps the sequence; others that draw wait behind
 * this, so it is not long.
 */
const lockMs = 2000
const tries = 5

interface Sequence {
  /** Quoted, with its schema. */
  name: string
  increment: bigint
  least: bigint
  largest: bigint
  /** What is drawn next. */
  next: bigint
  used: boolean
}

/**
 * Sequences that count in other steps, downwards or in a circle have a rule of their own, and are left alone; so are
 * those that have no room for another step.
 */
const columns = `format('%I.%I', nspname, relname) AS name, seqincrement::text AS increment, seqmin::text AS least, seqmax::text AS largest`
const from = `FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace`
const wanted = `WHERE relpersistence <> 't' AND nspname NOT IN ('pg_catalog', 'information_schema', 'remodel') AND NOT seqcycle
    AND seqincrement IN (1, ${stride})`
/**
 * With how far each is. None is read by its name, which may be another thing's by then. Of one that was never drawn
 * from PostgreSQL 17 has the start only.
 */
const states = {
  since18: `SELECT ${columns}, d.last_value::text AS last, d.is_called AS used ${from}, pg_get_sequence_data(seqrelid) d ${wanted} ORDER BY 1`,
  before: `SELECT ${columns}, coalesce(last, seqstart)::text AS last, last IS NOT NULL AS used ${from}, pg_sequence_last_value(seqrelid) last
    ${wanted} ORDER BY 1`,
}
const one = `SELECT ${columns} ${from} ${wanted} AND format('%I.%I', nspname, relname) = $1`

async function sequencesOf(session: Session): Promise<Sequence[]> {
  const since18 = await session.value(`SELECT current_setting('server_version_num')::int >= 180000`)
  return (await session.query(since18 === true ? states.since18 : states.before)).map((row) => sequenceOf(row, row))
}

function sequenceOf(row: Row, { last, used }: Row): Sequence {
  const increment = BigInt(String(row.increment))
  const value = BigInt(String(last))
  return {
    name: String(row.name),
    increment,
    least: BigInt(String(row.least)),
    largest: BigInt(String(row.largest)),
    next: used === true ? value + increment : value,
    used: used === true,
  }
}

/** The first number from `from` on that is the node's. */
function ownFrom(from: bigint, node: string): bigint {
  const step = BigInt(stride)
  const behind = (((BigInt(shareOf(node)) - from) % step) + step) % step
  return from + behind
}

const isShared = ({ increment, next }: Sequence, node: string) =>
  increment === BigInt(stride) && next === ownFrom(next, node)
const hasRoom = ({ next, largest }: Sequence) => next + BigInt(2 * stride) <= largest

/** Sequences by which the node may draw a number that another node draws too. */
export async function unsharedOf(session: Session, node: string): Promise<string[]> {
  const all = await sequencesOf(session)
  return all.filter((one) => hasRoom(one) && !isShared(one, node)).map(({ name }) => name)
}

/** From now on the node draws its own numbers only, behind all that are known to be drawn. */
export async function shareSequences(session: Session, node: string): Promise<void> {
  for (const name of await unsharedOf(session, node)) {
    for (let n = 1; ; n++) {
      try {
        await session.query('BEGIN')
        await session.query(`SET LOCAL lock_timeout = ${lockMs}`)
        await share(session, name, node)
        await session.query('COMMIT')
        break
      } catch (error) {
        await session.query('ROLLBACK')
        const isBusy = error instanceof RemodelError && error.details.sqlstate === '55P03'
        if (!isBusy || n === tries) throw error
      }
    }
  }
}

/** The same within a transaction that has made them: no other one draws from them. */
export async function shareOwnSequences(session: Session, node: string): Promise<void> {
  for (const name of await unsharedOf(session, node)) await share(session, name, node)
}

async function share(session: Session, name: string, node: string): Promise<void> {
  // From here on no number is drawn until it is committed.
  await session.query(`ALTER SEQUENCE ${name} INCREMENT BY ${stride}`)
  const [row] = await session.query(one, [name])
  // It is locked by now, so this is the sequence.
  const [state] = await session.query(`SELECT last_value::text AS last, is_called AS used FROM ${name}`)
  const { least, largest, next, used } = sequenceOf(row!, state!)
  const highest = await highestOf(session, name)
  const known = highest === null || highest < next ? next : highest + 1n
  const later = known + onTheirWay
  const from = (used || highest !== null) && ownFrom(later, node) <= largest ? later : known
  const start = ownFrom(least, node)
  await session.query(
    `ALTER SEQUENCE ${name} START WITH ${start <= largest ? start : least} RESTART WITH ${ownFrom(from, node)}`,
  )
}

/**
 * The largest number in the column that it belongs to, where an index has it: rows of other nodes
 * have drawn theirs there.
 */
async function highestOf(session: Session, name: string): Promise<bigint | null> {
  const [owner] = await session.query(
    `SELECT format('%I.%I', nspname, relname) AS relation, format('%I', attname) AS col FROM pg_depend
       JOIN pg_class c ON c.oid = refobjid JOIN pg_namespace n ON n.oid = relnamespace
       JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
     WHERE classid = 'pg_class'::regclass AND objid = $1::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
       AND EXISTS (SELECT FROM pg_index WHERE indrelid = refobjid AND indkey[0] = attnum AND indisvalid AND indpred IS NULL)`,
    [name],
  )
  if (!owner) return null
  const table = String(owner.relation)
  const [row] = await readAsOwner(session, table, `SELECT max(${owner.col})::bigint::text AS highest FROM ${table}`)
  return row?.highest == null ? null : BigInt(String(row.highest))
}
