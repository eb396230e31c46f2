import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { beginDrain, endDrain, reopenDrain } from '../postgres/drain.ts'
import { openFenced } from '../postgres/fenced.ts'
import { adminRole, replicationRole } from '../postgres/names.ts'
import { closeNode, openNode } from './admission.ts'
import { arrange, owned } from './configuration.ts'
import { place } from './place.ts'
import { lookAt, until } from './primary.ts'
import { reloadServer } from './process.ts'
import { shell } from './shell.ts'
import { isVerifiable } from './tls.ts'

interface Node {
  members: readonly Member[]
  database: string
}

/** How it followed, and what its commits waited for, before its writes were stopped. */
const kept = 'node.conf.drain'
const endMs = 30_000

/**
 * No client writes to the node any more when this returns: its database is read only for new sessions, no server of it
 * lets one in, and those that there were have ended. Nothing waits for replicas then: one that is away would hold up
 * what the other nodes are to get.
 */
export async function stopWrites(context: StepContext, { members, database, primary }: Node & { primary: Member }) {
  const session = await openFenced(context.provider, primary, 'postgres', context)
  try {
    await beginDrain(session, database)
    await closeNode(context, members)
    await until(`the end of sessions on ${primary.instance}`, context.signal, endMs, async () => {
      const left = await session.value(
        `SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM $1 AND usename IS DISTINCT FROM $2`,
        [adminRole, replicationRole],
      )
      return left === 0
    })
  } finally {
    await session.close()
  }
  const connection = await context.provider.connect(primary.vm, context.fence)
  try {
    await shell(
      connection,
      `cd ${place.data}; if [ ! -e ${kept} ] && [ -e node.conf ]; then cp -p node.conf ${kept}; fi`,
    )
    const upstream = members.filter(({ instance }) => instance !== primary.instance)
    const verified = await isVerifiable(context.provider, members)
    await arrange(connection, { self: primary.instance, upstream, primaryOnly: true, verified, synchronous: [] })
    await reloadServer(connection)
  } finally {
    connection.close()
  }
}

/** `arranged`: what its commits wait for is arranged anew already; else it is as it was before they were stopped. */
export async function giveWritesBack(
  context: StepContext,
  { members, database }: Node,
  { arranged }: { arranged: boolean },
): Promise<void> {
  const primary = (await lookAt(context.provider, members)).find(({ recovering }) => recovering === false)?.member
  if (!primary) return
  const session = await openFenced(context.provider, primary, 'postgres', context)
  try {
    // From now on it is not drained any more; that it was to be is forgotten last, so that what is
    // cut off is begun again.
    if (!(await reopenDrain(session, database))) return
    const connection = await context.provider.connect(primary.vm, context.fence)
    try {
      const back = arranged ? `rm -f ${kept}` : `if [ -e ${kept} ]; then mv ${kept} node.conf; fi`
      await shell(connection, `cd ${place.data}; ${back}`)
      await owned(connection, ['node.conf'])
      await reloadServer(connection)
    } finally {
      connection.close()
    }
    await openNode(context, members)
    await endDrain(session, database)
  } finally {
    await session.close()
  }
}
