import type { z } from 'zod'
import { RemodelError } from '../../../../shared/errors.ts'
import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs, type Member } from '../../../../shared/kinds/database.ts'
import { openSession } from '../../../../shared/postgres/server.ts'
import { defineStep, type StepContext, type StepResult } from '../step.ts'
import { arrangeNode } from './server/arrangement.ts'
import { ensureInstanceSlot } from './server/follow.ts'
import { asServer, place } from './server/place.ts'
import { findPrimary, lookAt, until } from './server/primary.ts'
import { startServer, stopServer, supervise } from './server/process.ts'
import { promote } from './server/promote.ts'
import { recorded } from './server/record.ts'
import { shell } from './server/shell.ts'
import { slotsArrived } from './server/slots.ts'

/**
 * The primary is stopped, which sends its replicas all it has; then the heir takes over, and the old one follows it. Writes
 * pause meanwhile, nothing is lost. Cut off in between, the next attempt goes on where the servers are.
 */
export default defineStep({
  input: inputs['switch-over'],
  look: async (context, input) =>
    (await findPrimary(context.provider, input.members))?.instance === input.to &&
    (await allFollow(context, input.members))
      ? done(context, input)
      : null,
  async apply(context, { members, to, synchronous }) {
    const heir = members.find(({ instance }) => instance === to)
    if (!heir) throw new RemodelError('infrastructure', `there is no instance ${to}`)
    const others = members.filter((member) => member !== heir)
    const old = await findPrimary(context.provider, others)
    for (const { instance } of others) await ensureInstanceSlot(context.provider, heir, instance)
    if (old) {
      context.say('waiting until its slots are on the heir')
      await slotsArrived(context.provider, old, heir, context.signal)
      const connection = await context.provider.connect(old.vm, context.fence)
      try {
        context.say(`stopping ${old.instance}`)
        await supervise(connection)
        await stopServer(connection)
        // It never starts as a primary again, whatever happens to this worker.
        await shell(connection, asServer(`touch ${place.data}/standby.signal`))
        await failpoint('switch-over.stopped')
      } finally {
        connection.close()
      }
    }
    await takeOver(context, heir)
    for (const other of others) await startAgain(context, other)
    await arrangeNode(context, members, { synchronous, keep: [] })
    await failpoint('switch-over.arranged')
  },
  async verify(context, input) {
    if ((await findPrimary(context.provider, input.members))?.instance === input.to) return done(context, input)
    throw new RemodelError('infrastructure', `${input.to} did not become the primary`)
  },
})

/** Planned by the operations it is a resource of its own; asked for by the document it changes the node. */
function done(context: StepContext, input: z.infer<(typeof inputs)['switch-over']>): StepResult {
  const isNode = input.resource.identifier.type === 'database.node'
  return recorded(context, input, isNode ? { primary_instance_id: input.to } : {})
}

async function takeOver(context: StepContext, heir: Member): Promise<void> {
  const connection = await context.provider.connect(heir.vm, context.fence)
  try {
    await replayed(context, heir)
    context.say(`${heir.instance} takes over`)
    await promote(context, connection, heir)
    await failpoint('switch-over.promoted')
  } finally {
    connection.close()
  }
}

/** All that was received is applied: the stopped primary has sent all it had. */
async function replayed(context: StepContext, heir: Member): Promise<void> {
  const session = await openSession(context.provider, heir, 'postgres')
  const sql = 'SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()'
  try {
    await until(
      `${heir.instance} applying what it received`,
      context.signal,
      60_000,
      async () => (await session.value(sql)) === true,
    )
  } finally {
    await session.close()
  }
}

async function startAgain(context: StepContext, member: Member): Promise<void> {
  const vm = await context.provider.findVm(member.vm)
  if (vm?.state !== 'running') return
  const connection = await context.provider.connect(member.vm, context.fence)
  try {
    await startServer(connection)
  } finally {
    connection.close()
  }
}

async function allFollow(context: StepContext, members: readonly Member[]): Promise<boolean> {
  return (await lookAt(context.provider, members)).every(({ recovering }) => recovering !== null)
}
