import type { Member } from '../../../../../shared/kinds/database.ts'
import { type Machines, openSession } from '../../../../../shared/postgres/server.ts'
import { until } from './primary.ts'

/** A sleeping synchronisation looks every 30 s at the latest. */
const waitMs = 90_000

/**
 * Waits until a replica keeps a copy of every logical slot of its primary. Before that the replica must not take over: the
 * other nodes would go on from a slot that is not there, and miss what was written in between.
 */
export async function slotsArrived(
  machines: Machines,
  primary: Member,
  replica: Member,
  signal: AbortSignal,
): Promise<void> {
  await until(`the slots of ${primary.instance} reaching ${replica.instance}`, signal, waitMs, async () => {
    const [there, here] = [
      await openSession(machines, primary, 'postgres'),
      await openSession(machines, replica, 'postgres'),
    ]
    try {
      // A copy is kept from a known point on; the snapshot makes one.
      const wanted = await there.query(
        `SELECT slot_name, pg_log_standby_snapshot()::text FROM pg_replication_slots WHERE slot_type = 'logical' AND failover`,
      )
      const names = wanted.map((row) => row.slot_name)
      const sql = `SELECT count(*) FROM pg_replication_slots WHERE synced AND NOT temporary AND invalidation_reason IS NULL AND slot_name = ANY ($1)`
      return Number(await here.value(sql, [names])) === names.length
    } finally {
      await Promise.all([there.close(), here.close()])
    }
  })
}
