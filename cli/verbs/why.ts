import type { Client } from '../../shared/api/client.ts'
import type { Why } from '../../shared/api/schemas/plan.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { suggest } from '../../shared/source/document.ts'
import type { Context } from '../context.ts'
import { exit, type Verb } from '../verb.ts'
import { parkedPhrase, statePainted } from '../views/state.ts'
import { plain } from '../views/style.ts'

/** How many remodels of a plan are asked about when none is named. */
const most = 20

const why: Verb = {
  configure(command) {
    command
      .argument('<plan>', 'id of a plan')
      .argument(
        '[remodel...]',
        'id of one step of it, as `task --verbose` shows it; default: all that did not end well',
      )
  },
  examples: [
    ['why p3f2a91c04d7e', 'what each step that is not done waits for, or why it failed'],
    ['why p3f2a91c04d7e start-instance web/1', 'what web/1 is waiting for'],
  ],
  async run(context, [id = '', ...words]) {
    const client = await context.client()
    const { plan, remodels, status } = await client.planView(id)
    const titles = new Map(plan.remodels.map((one) => [one.id, one.title]))
    const reasons = new Map(status.errors.map((one) => [one.remodel, one.message]))
    const name = words.join(' ')
    if (name !== '') {
      if (!titles.has(name)) throw unknownStep(id, name, [...titles.keys()])
      const answer = await client.why(id, name)
      if (context.json) context.document(answer)
      else {
        tell(answer, titles.get(name)!, reasons.get(name), context)
        if (answer.parked) context.say(`  its plan is ${parkedPhrase(answer.parked)}`)
      }
      return exit.done
    }
    const open = remodels.filter(({ state }) => state !== 'done').map((one) => one.id)
    const answers = await ask(client, id, open.slice(0, most))
    if (context.json) context.document(answers)
    else if (open.length === 0) context.say(`Every step of plan ${id} is done.`)
    else {
      context.say(`Plan ${id} is ${statePainted(status.state, context.style)}.`)
      if (status.parked) context.say(`  ${parkedPhrase(status.parked)}`)
      for (const answer of answers)
        tell(answer, titles.get(answer.remodel) ?? answer.remodel, reasons.get(answer.remodel), context)
      if (open.length > most) context.say(`and ${open.length - most} more: remodel task ${id} --verbose`)
    }
    return exit.done
  },
}

export default why

async function ask(client: Client, plan: string, remodels: readonly string[]): Promise<Why[]> {
  const answers: Why[] = []
  for (const remodel of remodels) answers.push(await client.why(plan, remodel))
  return answers
}

function tell({ state, waitsFor }: Why, title: string, reason: string | undefined, context: Context): void {
  context.say(`${context.style.bold(plain(title))} is ${statePainted(state, context.style)}`)
  if (reason !== undefined) context.say(`  ${plain(reason)}`)
  for (const one of waitsFor) context.say(`  waits for ${plain(one)}`)
  if (waitsFor.length === 0 && reason === undefined && !['done', 'failed', 'skipped'].includes(state))
    context.say('  waits for nothing: a worker is carrying it out, or takes it next')
}

function unknownStep(plan: string, name: string, ids: readonly string[]): RemodelError {
  const { suggestion } = suggest(name, ids)
  const near = suggestion === undefined ? `: \`remodel why ${plan}\` tells of all` : `; did you mean ${suggestion}?`
  return new RemodelError('not-found', `plan ${plan} has no step ${name}${near}`)
}
