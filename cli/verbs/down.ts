import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findPlanner } from '../../shared/api/address.ts'
import type { LocalProvider } from '../../shared/provider/local/index.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
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
    if (options.purge && !options.force) await refuseWhereSomethingIsDeployed(context)
    const ran = await stopStack(context.home, (sentence) => context.remark(sentence))
    if (options.purge) {
      // Machines that were still being made at the first look are there by now.
      if (!options.force) refuseWhere(await ownersHere(context.home))
      await endCompileMachines(context.home)
      await purgeHome(context.home)
    }
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
 * Refuses while a deployment has materials: the planner knows them by name, if it answers; machines and disks of this
 * home are asked for in any case, because a ledger may have lost what still runs.
 */
async function refuseWhereSomethingIsDeployed(context: Context): Promise<void> {
  refuseWhere([...(await recordedDeployments(context)), ...(await ownersHere(context.home))])
}

function refuseWhere(deployments: readonly string[]): void {
  const deployed = [...new Set(deployments)].sort()
  if (deployed.length === 0) return
  const message = `${deployed.join(', ')} still has machines or disks`
  throw new RemodelError(
    'conflict',
    `${message}: \`remodel delete ${deployed[0]}\` first, or add --force to leave its machines to themselves`,
    { details: { deployed } },
  )
}

/** The provider of a home; undefined where it has made nothing there. */
async function providerOf(home: string): Promise<LocalProvider | undefined> {
  const directory = join(home, 'machines')
  if (!existsSync(directory)) return undefined
  const { LocalProvider } = await import('../../shared/provider/local/index.ts')
  return new LocalProvider({ directory })
}

/** Deployments whose machines and disks lie in a home. */
async function ownersHere(home: string): Promise<string[]> {
  const provider = await providerOf(home)
  if (!provider) return []
  const all = [...(await provider.listVms()), ...(await provider.listDisks())]
  return all.flatMap(({ ownership: { owner } }) => (owner.startsWith('deployment/') ? [owner.split('/')[1]!] : []))
}

/** A compiler that was killed has left its machines, and who would sweep them is gone as well. */
async function endCompileMachines(home: string): Promise<void> {
  const provider = await providerOf(home)
  for (const { id } of (await provider?.listVms({ owner: 'compiler/' })) ?? []) await provider?.deleteVm(id, null)
}

async function recordedDeployments(context: Context): Promise<string[]> {
  const up = await readUpFile(context.home)
  if (!up?.planner || !isAlive(up.supervisor)) return []
  const { Client } = await import('../../shared/api/client.ts')
  const deployments = await new Client({ ...findPlanner(up.planner, context.home), source: 'up' }).deployments()
  return deployments.filter((one) => Object.values(one.materials).some((number) => number > 0)).map((one) => one.name)
}
