import type { z } from 'zod'
import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { begunFor, noteBegun } from '../../contract/begun.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { beginLine, lineAt } from '../archiving/line.ts'
import { inputs, type Member } from '../inputs.ts'
import { instanceSlot, linkName } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { noteClosed } from '../server/admission.ts'
import { arrangeNode } from '../server/arrangement.ts'
import { becomeNode } from '../server/become.ts'
import { configure } from '../server/configuration.ts'
import { writtenFloors } from '../server/floors.ts'
import { place } from '../server/place.ts'
import { findPrimary, lookAt, onPrimary, primaryOf, until, waitFor } from '../server/primary.ts'
import { restartServer, resumeServer, startServer, stopServer, supervise } from '../server/process.ts'
import { recorded } from '../server/record.ts'
import { admitSubscriber, replicationPassword } from '../server/replication.ts'
import { shell } from '../server/shell.ts'
import { ensureSubscription, originOf } from '../server/subscribe.ts'

type Input = z.infer<(typeof inputs)['populate-node']>

/**
 * Turns a new node that follows its source, byte by byte, into a node of its own:
 *
 *   following  -- stopped; a target in the source's log is written down -->  aimed
 *   aimed      -- started, which is written down -->  turning
 *   turning    -- replays up to the target and becomes a primary: no worker waits for that -->  turned
 *   turned     -- what came with the copy is read or thrown away -->  own
 *   own        -- started with its own settings; subscribes to the source from the target on -->  populated
 *
 * Everything that was committed at the source before the target is in the copy, everything after comes by the
 * subscription, whose slot was made before: no row is lost, none comes twice, and no client had to stop writing.
 */
export default defineStep({
  input: inputs['populate-node'],
  look: async () => null,
  async apply(context, input) {
    const { subscriber, database } = input
    const members = input.members[subscriber] ?? []
    const first = await firstOf(context, members, input)
    const connection = await context.provider.connect(first.vm, context.fence)
    const instance = input.instances[first.instance]!
    const password = replicationPassword(context.secrets, input.deployment)
    const ends = { provider: input.members[input.provider] ?? [], subscriber: members }
    const link = await admitSubscriber(context, input.deployment, ends)
    try {
      const has = async (path: string) => (await connection.exec(['test', '-e', path])).exitCode === 0
      if (await has(`${place.data}/standby.signal`)) {
        const begun = { plan: context.plan, what: `${first.instance} turns into ${subscriber}` }
        if ((await begunFor(connection, place.begun, begun)) === null) {
          if (!(await has(place.target))) {
            context.say('stopping at a known position')
            await supervise(connection)
            await stopServer(connection)
            await connection.write(place.target, await positionOfSource(context, input))
            await failpoint('populate-node.aimed')
          }
          await stopServer(connection)
          await noteClosed(connection, 'added')
          const target = (await connection.read(place.target)).toString()
          const floors = await writtenFloors(connection)
          await configure(connection, instance, { is: 'promoting', target, floors }, password)
          await startServer(connection)
          await noteBegun(connection, place.begun, begun)
          await failpoint('populate-node.turning')
        } else await resumeServer(connection)
        const wait = await waitFor(`${first.instance} becoming a primary`, context.signal, async () => {
          const [seen] = await lookAt(context.provider, [first])
          return seen!.recovering === false
        })
        if (wait) await beginAgainWhereDead(connection, first)
        if (wait) return wait
        await failpoint('populate-node.turned')
      }
      if (await has(place.target)) {
        const target = (await connection.read(place.target)).toString()
        await startServer(connection)
        await until(
          `${first.instance} answering`,
          context.signal,
          60_000,
          async () => (await findPrimary(context.provider, [first])) !== null,
        )
        const line = await lineAt(context, input.members[input.provider] ?? [])
        const source = { target, line, signal: context.signal }
        await onPrimary(context, [first], database, (session) => becomeNode(session, { ...input, ...link }, source))
        // What it writes is no part of what its source writes.
        await onPrimary(context, [first], 'postgres', (session) => beginLine(session))
        await failpoint('populate-node.own')
        await configure(connection, instance, { is: 'ordinary' }, password)
        await restartServer(connection)
        await shell(connection, `rm -f ${place.target}`)
        await failpoint('populate-node.started')
      }
    } finally {
      connection.close()
    }
    await forgetFollower(context, input, first)
    const synchronous = Object.values(input.instances).some((one) => one.synchronous)
    const kept = members.filter(({ instance: id }) => id in input.instances)
    await arrangeNode(context, kept, { synchronous, keep: [] })
    const line = await lineAt(context, input.members[input.provider] ?? [])
    await onPrimary(context, members, database, async (session) => {
      const name = await ensureSubscription(session, { ...input, ...link }, line, context.signal)
      await session.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
    })
    await failpoint('populate-node.subscribed')
  },
  async verify(context, input) {
    await onPrimary(context, input.members[input.subscriber] ?? [], input.database, async (session) => {
      const name = linkName(input.provider, input.subscriber)
      const origin = await originOf(session, name)
      const place = await session.value('SELECT pg_replication_origin_progress($1, true)::text', [origin])
      if (place === null)
        throw new RemodelError('infrastructure', `${input.subscriber} has no place in its source's log`)
    })
    return recorded(context, input)
  },
})

/** A server that does not come up with the settings it was given may do so with those that its source has by now. */
async function beginAgainWhereDead(connection: Connection, { instance }: Member): Promise<void> {
  const [process] = await connection.status()
  if (process?.state !== 'failing') return
  await shell(connection, `rm -f ${place.begun}`)
  throw new RemodelError('infrastructure', `${instance} does not stay up, so it cannot become a primary`)
}

/** The one that becomes the primary: who is one already, else the first of the document. */
async function firstOf(context: StepContext, members: readonly Member[], input: Input): Promise<Member> {
  const [standard] = Object.keys(input.instances)
  const first = (await findPrimary(context.provider, members)) ?? members.find(({ instance }) => instance === standard)
  if (first) return first
  throw new RemodelError('infrastructure', `node ${input.subscriber} has no instance`)
}

/**
 * Later than everything that the new node and its replicas have received, as they are stopped or follow a stopped one.
 */
async function positionOfSource(context: StepContext, { provider, members, database }: Input): Promise<string> {
  const session = await openSession(
    context.provider,
    await primaryOf(context.provider, members[provider] ?? [], context.signal),
    database,
  )
  try {
    const position = String(await session.value('SELECT pg_current_wal_insert_lsn()::text'))
    // The log has to go on behind the target, or it would be waited for.
    await session.query(`SELECT pg_logical_emit_message(false, 'remodel', 'target', true)`)
    return position
  } finally {
    await session.close()
  }
}

/** The source keeps its log for the follower no more. */
async function forgetFollower(context: StepContext, { provider, members }: Input, first: Member): Promise<void> {
  const session = await openSession(
    context.provider,
    await primaryOf(context.provider, members[provider] ?? [], context.signal),
    'postgres',
  )
  try {
    await session.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active',
      [instanceSlot(first.instance)],
    )
  } finally {
    await session.close()
  }
}
