import type { Member } from '../../../../../shared/kinds/database.ts'
import type { Connection } from '../../../../../shared/provider/connection.ts'
import { asServer, place } from './place.ts'
import { lookAt, until } from './primary.ts'
import { shell } from './shell.ts'

/** Makes a replica a primary; it stays one if it is one already. */
export async function promote(connection: Connection, member: Member, signal: AbortSignal): Promise<void> {
  const [seen] = await lookAt([member])
  if (seen!.recovering === false) return
  await shell(connection, asServer(`${place.binaries}/pg_ctl -D ${place.data} -w -t 60 promote`), { signal })
  await until(`${member.instance} becoming the primary`, signal, 60_000, async () => {
    const [now] = await lookAt([member])
    return now!.recovering === false
  })
}
