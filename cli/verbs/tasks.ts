import { actorText } from '../../shared/model/actor.ts'
import { wholeNumber } from '../arguments.ts'
import { exit, type Verb } from '../verb.ts'
import { parkedPhrase, statePainted } from '../views/state.ts'
import { table } from '../views/table.ts'
import { dateTime, duration } from '../views/time.ts'

/** As many plans as a planner answers at once. */
const most = 10_000

const tasks: Verb<{ deployment?: string; limit: number; running?: boolean }> = {
  configure(command) {
    command
      .option('-d, --deployment <name>', 'only plans of this deployment')
      .option('--running', 'only plans that run')
      .option('--limit <n>', 'number of plans, the newest first', wholeNumber(1), 20)
  },
  examples: [
    ['tasks', 'the newest 20 plans'],
    ['tasks -d web --limit 100', 'plans of one deployment'],
  ],
  async run(context, _args, options) {
    const client = await context.client()
    // One more than is shown tells whether there are more; what runs may be older than many that do not.
    const found = await client.plans({
      limit: options.running ? most : Math.min(options.limit + 1, most),
      ...(options.deployment === undefined ? {} : { deployment: options.deployment }),
    })
    const open = ['running', 'parked', 'failing', 'cancelling']
    const all = found.filter((plan) => !options.running || open.includes(plan.state))
    const list = all.slice(0, options.limit)
    if (context.json) context.document(list)
    else if (list.length === 0) context.say(options.running ? 'No plan is running.' : 'No plans yet.')
    else {
      const now = Date.now()
      const rows = list.map((plan) => [
        plan.id,
        plan.deployment,
        statePainted(plan.state, context.style),
        `${plan.counts.done}/${plan.counts.total}`,
        dateTime(plan.startedAt ?? plan.createdAt),
        plan.startedAt === null ? '-' : duration((plan.finishedAt ?? now) - plan.startedAt),
        plan.by === null ? '-' : actorText(plan.by),
        plan.errors[0]?.message ?? (plan.parked ? parkedPhrase(plan.parked) : (plan.action ?? '')),
      ])
      const headings = ['Plan', 'Deployment', 'State', 'Done', 'Begun', 'Took', 'By', 'Note']
      for (const line of table(context.style, headings, rows)) context.say(line)
      if (all.length > list.length) context.remark(`There are older plans: --limit shows more than ${options.limit}.`)
    }
    return exit.done
  },
}

export default tasks
