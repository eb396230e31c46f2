import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { InstanceAttributes, Member } from '../inputs.ts'
import { instanceSlot } from '../postgres/names.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { arrange } from './configuration.ts'
import { copyData } from './copy.ts'
import { keepWhatHasMore } from './kept.ts'
import { asServer, place } from './place.ts'
import { findPrimary, lookAt, primaryOf } from './primary.ts'
import { stopServer } from './process.ts'
import { shell } from './shell.ts'
import { isVerifiable } from './tls.ts'

interface Following {
  member: Member
  instance: Pick<InstanceAttributes, 'tls'>
  role: string
  source: readonly Member[]
  upstream: readonly Member[]
}

/**
 * Makes a copy of the source's primary that follows `upstream`. The slot comes first, so that the log since then is
 * kept; what was here before is thrown away, or kept beside where it has more than that primary.
 */
export async function follow(context: StepContext, connection: Connection, of: Following): Promise<void> {
  const { member, instance, role, source, upstream } = of
  const from = await primaryOf(context.provider, source, context.signal)
  const primary = await findPrimary(context.provider, upstream)
  const head =
    primary ?? (await lookAt(context.provider, upstream)).find(({ recovering }) => recovering === true)?.member ?? from
  await keepWhatHasMore(context, connection, member, from)
  await shell(connection, `rm -f ${place.whole} ${place.applied} ${place.target}`)
  await stopServer(connection)
  await ensureInstanceSlot(context.provider, head, member.instance)
  await failpoint('follow.slot')
  context.say(`copying ${from.instance}`)
  await copyData(context, from, connection)
  await failpoint('follow.copied')
  await forgetOverrides(connection)
  await arrange(connection, {
    self: member.instance,
    upstream,
    primaryOnly: primary !== null,
    verified: instance.tls !== undefined && (await isVerifiable(context.provider, upstream)),
    synchronous: [],
  })
  await shell(connection, asServer(`touch ${place.data}/standby.signal`))
  await connection.write(place.whole, role)
}

/** Settings of ALTER SYSTEM on the source came along with the copy, and would win over the arrangement. */
async function forgetOverrides(connection: Connection): Promise<void> {
  const names = 'primary_conninfo|primary_slot_name|synchronous_standby_names|synchronized_standby_slots'
  await shell(connection, `sed -i -E '/^(${names}) /d' ${place.data}/postgresql.auto.conf`)
}

/** A physical slot for a replica on the server that it follows. */
export async function ensureInstanceSlot(machines: Machines, on: Member, instance: string): Promise<void> {
  const session = await openSession(machines, on, 'postgres')
  try {
    const name = instanceSlot(instance)
    if ((await session.value('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [name])) !== null) return
    await session.query('SELECT pg_create_physical_replication_slot($1, true)', [name])
  } finally {
    await session.close()
  }
}
