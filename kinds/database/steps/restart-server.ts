import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { openSession } from '../postgres/server.ts'
import { startedSql } from '../postgres/started.ts'
import { whyNotFollowing } from '../server/following.ts'
import { lookAt } from '../server/primary.ts'
import { restartServer } from '../server/process.ts'
import { answering, endOfLog } from '../server/running.ts'

const followMs = 60_000
const lookMs = 2000

/**
 * A server is started again, once: one that says that it was started at another time than when this was planned was
 * started since, by an earlier attempt or because it died. Done when it takes sessions and, as a replica that
 * followed before, follows.
 */
export default defineStep({
  input: inputs['restart-server'],
  async look(context, { member, others, started, follows }) {
    if (!(await wasStarted(context, member, started))) return null
    return (await whyNotServing(context, member, { others, follows, waitMs: lookMs })) === null
      ? { floorplan: {} }
      : null
  },
  async apply(context, { member, started }) {
    if (await wasStarted(context, member, started)) return
    const connection = await context.provider.connect(member.vm, context.fence)
    try {
      context.say(`restarting ${member.instance}`)
      const from = await endOfLog(connection)
      await restartServer(connection)
      await failpoint('restart-server.restarted')
      await answering(context, connection, { member, from })
    } finally {
      connection.close()
    }
  },
  async verify(context, { member, others, started, follows }) {
    const why = await whyNotServing(context, member, { others, follows, waitMs: followMs })
    if (why !== null) throw new RemodelError('infrastructure', `${member.instance} was restarted, but ${why}`)
    if (await wasStarted(context, member, started)) return { floorplan: {} }
    throw new RemodelError('infrastructure', `${member.instance} is still the server that it was`)
  },
})

async function wasStarted({ provider }: StepContext, member: Member, started: string | null): Promise<boolean> {
  const now = await startOf(provider, member)
  return now !== null && now !== started
}

async function startOf(provider: StepContext['provider'], member: Member): Promise<string | null> {
  try {
    const session = await openSession(provider, member, 'postgres', { timeoutMs: lookMs })
    try {
      return String(await session.value(startedSql))
    } finally {
      await session.close()
    }
  } catch {
    return null
  }
}

async function whyNotServing(
  { provider, signal }: StepContext,
  member: Member,
  { others, follows, waitMs }: { others: readonly Member[]; follows: boolean; waitMs: number },
): Promise<string | null> {
  const [seen] = await lookAt(provider, [member])
  if (seen!.recovering === null) return 'it does not answer'
  return seen!.recovering && follows ? whyNotFollowing(provider, member, others, { waitMs, signal }) : null
}
