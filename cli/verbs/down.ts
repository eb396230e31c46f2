import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RemodelError } from '../../shared/errors.ts'
import { findPlanner } from '../address.ts'
import type { Context } from '../context.ts'
import { purgeHome } from '../stack/home.ts'
import { stopStack } from '../stack/stop.ts'
import { isAlive, readUpFile } from '../stack/up-file.ts'
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

/**
 * Refuses while a deployment has materials: the planner knows them by name, if it answers; machines and disks of this home are
 * asked for in any case, because a ledger may have lost what still runs.
 */
async function refuseWhereSomethingStands(context: Context): Promise<void> {
  const recorded = await recordedDeployments(context)
  const { LocalProvider } = await import('../../shared/provider/local/index.ts')
  const provider = new LocalProvider({ directory: join(context.home, 'machines') })
  const [vms, disks] = existsSync(provider.directory)
    ? await Promise.all([provider.listVms(), provider.listDisks()])
    : [[], []]
  const owners = [...vms, ...disks].map(({ ownership }) => ownership.owner)
  const machines = owners.filter((owner) => owner.startsWith('deployment/')).map((owner) => owner.split('/')[1]!)
  const standing = [...new Set([...recorded, ...machines])].sort()
  if (standing.length === 0) return
  const message = `${standing.join(', ')} still has machines or disks`
  throw new RemodelError(
    'conflict',
    `${message}: \`remodel delete ${standing[0]}\` first, or add --force to leave its machines to themselves`,
    { details: { standing } },
  )
}

async function recordedDeployments(context: Context): Promise<string[]> {
  const up = await readUpFile(context.home)
  if (!up?.planner || !isAlive(up.supervisor)) return []
  const { Client } = await import('../client.ts')
  const deployments = await new Client({ ...findPlanner(up.planner, context.home), source: 'up' }).deployments()
  return deployments.filter((one) => Object.values(one.materials).some((number) => number > 0)).map((one) => one.name)
}
