import type { Client } from '../../shared/api/client.ts'
import type { Deployment } from '../../shared/api/schemas/deployment.ts'
import type { Verdict } from '../../shared/model/verdict.ts'
import { eachAtMost } from '../../shared/runtime/parallel.ts'
import { exit, type Verb } from '../verb.ts'
import { statePainted } from '../views/state.ts'
import { plain, type Style } from '../views/style.ts'
import { count, table } from '../views/table.ts'
import { ago } from '../views/time.ts'

interface Options {
  look: boolean
}

/** How many deployments are looked at side by side. */
const atOnce = 8

const deployments: Verb<Options> = {
  configure(command) {
    command.option('--no-look', 'show what is recorded only: no machine is asked how it is')
  },
  examples: [
    ['deployments', 'names, how each is now, materials and the last deploy'],
    ['deployments --no-look', 'the same at once, however many there are'],
  ],
  async run(context, _args, { look }) {
    const client = await context.client()
    const list = await client.deployments()
    const verdicts = look ? await verdictsOf(client, list) : new Map<string, Verdict>()
    if (context.json) context.document(list.map((one) => ({ ...one, verdict: verdicts.get(one.name) ?? null })))
    else if (list.length === 0) context.say('Nothing is deployed. Begin with: remodel deploy FILE')
    else {
      const headings = ['Name', 'Kind', ...(look ? ['Now'] : []), 'Stands', 'Last deploy', 'When', 'Lock']
      const rows = list.map((one) => [
        one.name,
        one.kind,
        ...(look ? [now(one, verdicts.get(one.name), context.style)] : []),
        actual(one),
        ...lastDeploy(one, context.style),
        one.lock ?? '-',
      ])
      for (const line of table(context.style, headings, rows)) context.say(line)
    }
    return exit.done
  },
}

/** Of each that no plan is changing. One that cannot be looked at has none. */
async function verdictsOf(client: Client, list: readonly Deployment[]): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>()
  const still = list.filter(({ lock }) => lock === null)
  await eachAtMost(atOnce, still, async ({ name }) => {
    const verdict = await client.verdict(name, 0).catch(() => null)
    if (verdict) verdicts.set(name, verdict)
  })
  return verdicts
}

/** `as recorded`, or the first thing that is not. */
function now({ lock }: Deployment, verdict: Verdict | undefined, style: Style): string {
  if (lock !== null) return style.dim('changing')
  const [first, ...more] = verdict?.deviations ?? []
  if (!verdict) return style.yellow('cannot be looked at')
  if (!first) return style.green('as recorded')
  const others = more.length === 0 ? '' : `, ${more.length} more`
  return style.red(`${plain(first.material)} ${plain(first.what)}${others}`)
}

export default deployments

/** Materials of Remodel's own are not counted: the published addresses, the record of post-deploy scripts. */
function actual({ materials }: Deployment): string {
  const counted = Object.entries(materials).filter(([type]) => type !== 'addresses' && type !== 'post-deploy')
  return counted.map(([type, number]) => count(number, type)).join(', ') || '-'
}

/** A plan that was only looked at is no deploy. */
function lastDeploy({ lastPlan }: Deployment, style: Style): [plan: string, when: string] {
  if (!lastPlan || lastPlan.state === 'stored') return ['-', '-']
  const { id, state, finishedAt, startedAt, createdAt } = lastPlan
  return [`${id} ${statePainted(state, style)}`, ago(finishedAt ?? startedAt ?? createdAt)]
}
