import { exit, type Verb } from '../verb.ts'
import { statePainted } from '../views/state.ts'
import { count, table } from '../views/table.ts'
import { ago } from '../views/time.ts'

const deployments: Verb = {
  configure() {},
  examples: [['deployments', 'names, kinds, what stands and the last plan of each']],
  async run(context) {
    const list = await (await context.client()).deployments()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('Nothing is deployed. Begin with: remodel deploy FILE')
    else {
      const rows = list.map((one) => [
        one.name,
        one.kind,
        Object.entries(one.materials)
          .map(([type, number]) => count(number, type))
          .join(', ') || '-',
        one.lastPlan ? `${one.lastPlan.id} ${statePainted(one.lastPlan.state, context.style)}` : '-',
        one.lastPlan ? ago(one.lastPlan.finishedAt ?? one.lastPlan.startedAt ?? one.lastPlan.createdAt) : '-',
        one.lock ?? '-',
      ])
      for (const line of table(context.style, ['Name', 'Kind', 'Stands', 'Last plan', 'When', 'Lock'], rows))
        context.say(line)
    }
    return exit.done
  },
}

export default deployments
