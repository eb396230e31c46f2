import { RemodelError } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import { purgeHome } from '../stack/home.ts'
import { stopStack } from '../stack/stop.ts'
import { readUpFile } from '../stack/up-file.ts'
import { exit, type Verb } from '../verb.ts'

const down: Verb<{ purge?: boolean; force?: boolean }> = {
  configure(command) {
    command
      .option('--purge', 'remove all data of `up` as well; refused while something is deployed')
      .option('--force', 'with --purge: also while something is deployed, whose machines are then left to themselves')
  },
  examples: [
    ['down', 'stop everything in order; data and machines stay, `up` goes on with them'],
    ['down --purge', 'and forget everything'],
  ],
  async run(context, _args, options) {
    if (options.purge && !options.force) await refuseWhereSomethingStands(context)
    const ran = await stopStack(context.home, (sentence) => context.remark(sentence))
    if (options.purge) await purgeHome(context.home)
    if (context.json) context.document({ stopped: ran, purged: options.purge === true, home: context.home })
    else {
      context.say(ran ? 'Remodel is down.' : `Nothing was up in ${context.home}.`)
      if (options.purge) context.say(`${context.home} is removed.`)
    }
    return exit.done
  },
}

export default down

/** Only a running planner can tell what stands; without one, the data is kept. */
async function refuseWhereSomethingStands(context: Context): Promise<void> {
  const up = await readUpFile(context.home)
  if (!up?.planner) return
  const { Client } = await import('../client.ts')
  const deployments = await new Client({ url: up.planner, source: 'up', redis: up.redis }).deployments()
  const standing = deployments
    .filter((one) => Object.values(one.materials).some((number) => number > 0))
    .map((one) => one.name)
  if (standing.length === 0) return
  throw new RemodelError(
    'conflict',
    `${standing.join(', ')} still stands: \`remodel delete ${standing[0]}\` first, or add --force to leave its machines to themselves`,
    { details: { standing } },
  )
}
