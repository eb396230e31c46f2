import type { Connection } from '../../../shared/provider/connection.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { asServer, place } from './place.ts'
import { lookAt, until } from './primary.ts'
import { shell } from './shell.ts'

/** Makes a replica a primary; it stays one if it is one already. */
export async function promote(context: StepContext, connection: Connection, member: Member): Promise<void> {
  const { provider, signal } = context
  const [seen] = await lookAt(provider, [member])
  if (seen!.recovering === false) return
  await shell(connection, asServer(`${place.binaries}/pg_ctl -D ${place.data} -w -t 60 promote`), { signal })
  await until(`${member.instance} becoming the primary`, signal, 60_000, async () => {
    const [now] = await lookAt(provider, [member])
    return now!.recovering === false
  })
}
