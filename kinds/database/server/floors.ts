import type { Connection } from '../../../shared/provider/connection.ts'
import type { StepContext } from '../../contract/step.ts'
import type { InstanceAttributes, Member } from '../inputs.ts'
import { openSession } from '../postgres/server.ts'
import { replicaFloors } from '../postgres/settings.ts'
import { type Floors, settingsOf } from './configuration.ts'
import { place } from './place.ts'
import { findPrimary, until } from './primary.ts'

const replayMs = 30_000

/**
 * A server that replays a log stops where the log says that its writer had more of a setting. So a replica keeps what
 * it has until its primary has less and the replica has replayed that: raised before its primary, lowered behind it.
 *
 * `kept`: what it keeps more of than `instance` asks for; empty where it can have what is asked for.
 */
export async function floorsOf(
  context: StepContext,
  connection: Connection,
  { member, instance, source }: { member: Member; instance: InstanceAttributes; source: readonly Member[] },
): Promise<Floors> {
  const wanted = settingsOf(instance, { is: 'ordinary' })
  const before = await writtenFloors(connection)
  const primary = await findPrimary(context.provider, source)
  const above = primary ? await primaryFloors(context, primary) : null
  const replayed = above !== null && isLower(wanted, before) && (await hasReplayed(context, member, above.position))
  const kept: Record<string, number> = {}
  for (const name of replicaFloors) {
    const floor = Math.max(replayed ? 0 : (before[name] ?? 0), above?.values[name] ?? 0)
    if (floor > numberOf(wanted[name])) kept[name] = floor
  }
  return kept
}

/** What the file of settings says that the server last had, for one that is stopped on its way to be a primary. */
export async function writtenFloors(connection: Connection): Promise<Floors> {
  const text = (await connection.read(`${place.data}/remodel.conf`).catch(() => Buffer.alloc(0))).toString()
  const lines = [...text.matchAll(/^(\w+) = '(\d+)'$/gm)].map(([, name = '', value]) => [name, Number(value)] as const)
  return Object.fromEntries(lines.filter(([name]) => (replicaFloors as readonly string[]).includes(name)))
}

const numberOf = (text: string | undefined) => (Number.isNaN(Number(text)) ? Number.POSITIVE_INFINITY : Number(text))

function isLower(wanted: Readonly<Record<string, string>>, before: Floors): boolean {
  return replicaFloors.some((name) => (before[name] ?? 0) > numberOf(wanted[name]))
}

async function primaryFloors({ provider, signal }: StepContext, primary: Member) {
  const session = await openSession(provider, primary, 'postgres', { signal })
  try {
    const rows = await session.query('SELECT name, setting FROM pg_settings WHERE name = ANY($1)', [replicaFloors])
    const values: Floors = Object.fromEntries(rows.map(({ name, setting }) => [String(name), Number(setting)]))
    // It wrote what it has when it started: a server that has replayed as far has replayed that.
    return { values, position: String(await session.value('SELECT pg_current_wal_lsn()::text')) }
  } finally {
    await session.close()
  }
}

/** Waits a while for it. False too where it does not answer. */
async function hasReplayed({ provider, signal }: StepContext, member: Member, position: string): Promise<boolean> {
  const check = async () => {
    const session = await openSession(provider, member, 'postgres', { signal })
    try {
      return (await session.value('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn', [position])) === true
    } finally {
      await session.close()
    }
  }
  return until(`${member.instance} replaying what its primary has written`, signal, replayMs, check).then(
    () => true,
    () => {
      signal.throwIfAborted()
      return false
    },
  )
}
