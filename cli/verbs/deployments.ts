import type { Deployment } from '../../shared/api/schemas/deployment.ts'
import { exit, type Verb } from '../verb.ts'
import { statePainted } from '../views/state.ts'
import type { Style } from '../views/style.ts'
import { count, table } from '../views/table.ts'
import { ago } from '../views/time.ts'

const deployments: Verb = {
  configure() {},
  examples: [['deployments', 'names, kinds, materials and the last deploy of each']],
  async run(context) {
    const list = await (await context.client()).deployments()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('Nothing is deployed. Begin with: remodel deploy FILE')
    else {
      const headings = ['Name', 'Kind', 'Stands', 'Last deploy', 'When', 'Lock']
      const rows = list.map((one) => [
        one.name,
        one.kind,
        standing(one),
        ...lastDeploy(one, context.style),
        one.lock ?? '-',
      ])
      for (const line of table(context.style, headings, rows)) context.say(line)
    }
    return exit.done
  },
}

export default deployments

/** Materials of Remodel's own are not counted: the published addresses, the record of post-deploy scripts. */
function standing({ materials }: Deployment): string {
  const counted = Object.entries(materials).filter(([type]) => type !== 'addresses' && type !== 'post-deploy')
  return counted.map(([type, number]) => count(number, type)).join(', ') || '-'
}

/** A plan that was only looked at is no deploy. */
function lastDeploy({ lastPlan }: Deployment, style: Style): [plan: string, when: string] {
  if (!lastPlan || lastPlan.state === 'stored') return ['-', '-']
  const { id, state, finishedAt, startedAt, createdAt } = lastPlan
  return [`${id} ${statePainted(state, style)}`, ago(finishedAt ?? startedAt ?? createdAt)]
}
