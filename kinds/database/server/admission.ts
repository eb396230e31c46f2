import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { noteWritten } from '../postgres/written-files.ts'
import { accessRules, wayIn } from './access.ts'
import { owner, place } from './place.ts'
import { lookAt } from './primary.ts'
import { readAgain } from './running.ts'
import { shell } from './shell.ts'

/**
 * Why a server lets no client in, in a file beside its data: no start, copy or change of primary forgets it, and every
 * `pg_hba.conf` that is written goes by it.
 *
 *   added     Its node has never let a client in. -- every other node gets what is written to it -->
 *   opening   Some server of it may let clients in already. -- rules, read by the server -->
 *   (none)    Clients come in. -- its node is to go -->
 *   drained   -- it stays after all -->  (none)
 */
export type Closed = 'added' | 'opening' | 'drained'

export async function noteClosed(connection: Connection, why: Closed): Promise<void> {
  await connection.write(place.closed, why)
}

export async function isClosed(connection: Connection): Promise<boolean> {
  return (await connection.exec(['test', '-e', place.closed])).exitCode === 0
}

/** On all servers of the node that answer; returns when each of them goes by it. */
export async function closeNode(context: StepContext, members: readonly Member[]): Promise<void> {
  await onEach(context, members, async (connection, member) => {
    await noteClosed(connection, 'drained')
    await failpoint('close-node.noted')
    await follow(context, connection, member, 'servers')
  })
}

/** The same; what is written to any of its servers from the first moment on has to be counted as a client's. */
export async function openNode(context: StepContext, members: readonly Member[]): Promise<void> {
  await onEach(context, members, async (connection) => {
    if (await isClosed(connection)) await noteClosed(connection, 'opening')
  })
  await failpoint('open-node.opening')
  await onEach(context, members, async (connection, member) => {
    await follow(context, connection, member, 'clients')
    await failpoint('open-node.admitted')
    await shell(connection, `rm -f ${place.closed}`)
  })
}

async function follow(context: StepContext, connection: Connection, member: Member, who: 'clients' | 'servers') {
  const rules = (await connection.read(`${place.data}/pg_hba.conf`)).toString()
  await connection.write(`${place.data}/pg_hba.conf`, accessRules(who, wayIn(rules)))
  await shell(
    connection,
    `chown ${owner} ${place.data}/pg_hba.conf; chmod 0640 ${place.data}/pg_hba.conf; ${noteWritten(['pg_hba.conf'])}`,
  )
  await readAgain(context, connection, member, [])
}

async function onEach(
  context: StepContext,
  members: readonly Member[],
  work: (connection: Connection, member: Member) => Promise<void>,
): Promise<void> {
  for (const { member, recovering } of await lookAt(context.provider, members)) {
    if (recovering === null) continue
    const connection = await context.provider.connect(member.vm, context.fence)
    try {
      await work(connection, member)
    } finally {
      connection.close()
    }
  }
}
