import { Argument } from 'commander'
import { actorText } from '../../shared/model/actor.ts'
import { type Healing, HealingMode } from '../../shared/model/healing.ts'
import type { Context } from '../context.ts'
import { exit, type Verb } from '../verb.ts'
import { table } from '../views/table.ts'
import { ago } from '../views/time.ts'

interface Options {
  message?: string
}

const heal: Verb<Options> = {
  configure(command) {
    command
      .argument('<deployment>')
      .addArgument(
        new Argument(
          '[mode]',
          '`apply`: what is lost is mended at once; `propose`: a plan waits for you; `off`',
        ).choices(HealingMode.options),
      )
      .option('-m, --message <text>', 'why; shown beside the mode')
  },
  examples: [
    ['heal web apply', 'mend web by itself from now on: a machine that is lost is made anew'],
    ['heal web off -m rebuilding', 'leave web alone, and say why'],
    ['heal web', 'what counts for web, and what was mended'],
  ],
  async run(context, [deployment = '', mode], { message = '' }) {
    const client = await context.client()
    const healing =
      mode === undefined
        ? await client.healing(deployment)
        : await client.heal(deployment, { mode: HealingMode.parse(mode), message })
    if (context.json) context.document(healing)
    else show(context, deployment, healing)
    return exit.done
  },
}

export default heal

const phrases: Readonly<Record<HealingMode, string>> = {
  off: 'is not mended by itself',
  propose: 'is not mended by itself: plans for what is lost are drawn, and wait for you',
  apply: 'is mended by itself: what is lost is made anew',
}

function show(context: Context, deployment: string, { mode, by, at, message, waits, repairs }: Healing): void {
  const said = by === null ? '' : ` (${actorText(by)}, ${ago(at!)}${message ? `: ${message}` : ''})`
  context.say(`${deployment} ${phrases[mode]}${said}.`)
  if (waits) context.say(`Not mended now: ${waits.why}.`)
  if (repairs.length === 0) return
  const rows = repairs.map(({ plan, at, subjects }) => [ago(at), plan, subjects.join(', ')])
  for (const line of table(context.style, ['Mended', 'Plan', 'What was lost'], rows)) context.say(line)
}
