import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, clock, exit, plain, type Verb } from '../../../../cli/sdk.ts'
import type { Client } from '../../../../shared/api/client.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { type Database, findDatabase } from '../databases.ts'
import { causeLines, verdictLine } from '../views/database.ts'
import { type Changed, changesOf, saidOf } from '../watching.ts'

const everyMs = 1000

/** The verdict on a database, then what changes, as it does. */
const watch: Verb = {
  configure(command) {
    command.argument('<name>', 'name of the deployment of a database')
  },
  examples: [
    ['watch shop', 'its verdict now, and each change as it happens, until Ctrl-C'],
    ['watch shop --json', 'the same for programs: a line of JSON for each change'],
  ],
  async run(context, [name = '']) {
    const client = await context.client()
    const left = new AbortController()
    process.once('SIGINT', () => left.abort())
    let seen = await findDatabase(name, client)
    if (context.json) context.line({ type: 'seen', at: Date.now(), database: seen })
    else for (const line of verdictLines(seen, context)) context.say(line)
    while (!left.signal.aborted) {
      await sleep(everyMs, undefined, { signal: left.signal }).catch(() => {})
      const next = left.signal.aborted ? seen : await lookAgain(seen, client, { context, left: left.signal })
      if (next === null) {
        context.say(`${name} is gone.`)
        return exit.done
      }
      for (const change of changesOf(saidOf(seen), saidOf(next))) show(change, context)
      if (!context.json && causesText(seen) !== causesText(next))
        for (const line of verdictLines(next, context)) context.say(line)
      seen = next
    }
    return exit.done
  },
}

export default watch

/** Over a planner that is away for a while. Null: there is no such database any more. */
async function lookAgain(
  before: Database,
  client: Client,
  { context, left }: { context: Context; left: AbortSignal },
): Promise<Database | null> {
  for (let lost = false; ; ) {
    try {
      const found = await findDatabase(before.name, client)
      if (lost) context.remark('the planner answers again')
      return found
    } catch (error) {
      if (!(error instanceof RemodelError)) throw error
      if (error.code === 'not-found') return null
      if (error.code !== 'unavailable') throw error
      if (left.aborted) return before
      if (!lost) context.remark('the planner does not answer; trying again')
      lost = true
      await sleep(everyMs, undefined, { signal: left }).catch(() => {})
    }
  }
}

function show({ subject, before, after }: Changed, context: Context): void {
  const at = Date.now()
  if (context.json) context.line({ type: 'changed', at, subject, before, after })
  const was = before === null ? '' : context.style.dim(` (was: ${plain(before)})`)
  context.say(
    `${context.style.dim(clock(at))}  ${context.style.bold(plain(subject))}  ${plain(after ?? 'is gone')}${was}`,
  )
}

function causesText({ state, causes }: Database): string {
  return JSON.stringify([state, causes.filter(({ warning }) => !warning).map(({ what }) => what)])
}

function verdictLines(one: Database, { style }: Context): string[] {
  return [verdictLine(one, style), ...one.causes.flatMap((cause) => causeLines(cause, style))]
}
