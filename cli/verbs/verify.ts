import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidArgumentError } from 'commander'
import type { Check } from '../../shared/api/schemas/check.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { exit, type Verb } from '../verb.ts'
import { plain } from '../views/style.ts'
import { count } from '../views/table.ts'

interface Options {
  rebuild: number
  timeout: number
}

const lookMs = 250

const verify: Verb<Options> = {
  configure(command) {
    command
      .requiredOption('--rebuild <share>', 'compile this share of the compiled packages again: 5%', share)
      .option('--timeout <seconds>', 'seconds after which to give up', wholeNumber(1), 3600)
      .addHelpText('after', '\nWhat is in use stays, whatever comes out. Exit codes: 0 the same, 1 not.')
  },
  examples: [['verify --rebuild 5%', 'does the same come out when packages are compiled again?']],
  async run(context, _args, { rebuild, timeout }) {
    const client = await context.client()
    const until = performance.now() + timeout * 1000
    let check = await client.startCheck({ rebuildPercent: rebuild })
    context.remark(`Compiling ${count(check.packages.length, 'package')} again.`)
    while (check.packages.some(({ state }) => state === 'open')) {
      if (performance.now() > until) {
        const left = check.packages.filter(({ state }) => state === 'open').length
        throw new RemodelError('deadline', `${left} of ${check.packages.length} are not compiled after ${timeout} s`)
      }
      await sleep(lookMs)
      check = await client.check(check.id)
    }
    const incidents = check.packages.filter(({ state }) => state !== 'same')
    if (context.json) context.document(check)
    else tell(context, check, incidents)
    return incidents.length === 0 ? exit.done : exit.failed
  },
}

export default verify

function tell(context: Context, check: Check, incidents: Check['packages']): void {
  const { style } = context
  for (const { package: name, stemcell, difference, message, log, digest, rebuilt } of incidents) {
    const reason = difference ? `${plain(difference.path)} ${difference.what}` : plain(message ?? '')
    context.say(`${style.red('✗')} ${style.bold(plain(name))} on ${plain(stemcell)}: ${reason}`)
    for (const line of log?.split('\n') ?? []) context.say(`      ${style.dim('│')} ${plain(line)}`)
    context.say(style.dim(`    in use: ${digest}${rebuilt === undefined ? '' : `, came out now: ${rebuilt}`}`))
  }
  const same = check.packages.length - incidents.length
  context.say(`${count(same, 'package')} of ${check.packages.length} came out the same.`)
}

function share(text: string): number {
  const number = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1])
  if (number > 0 && number <= 100) return number
  throw new InvalidArgumentError('wanted a share like 5%.')
}
