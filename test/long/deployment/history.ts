import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Random } from '../../sim/random.ts'
import { settled, type TestStack } from '../../support/services.ts'
import { anyGroup, changed, cloud, type GroupWish, manifestOf, pidsOf } from './wish.ts'

export interface Told {
  deploys: number
  refused: number
  /** What was not as it should be, one sentence each. */
  wrong: string[]
}

/**
 * One deployment through a row of documents; after each deploy its processes, its disks and the
 * next plan are looked at.
 */
export async function live(stack: TestStack, deployment: string, random: Random): Promise<Told> {
  const told: Told = { deploys: 0, refused: 0, wrong: [] }
  const client = stack.client()
  let groups: GroupWish[] = [anyGroup(random, 'g0')]
  let held = new Map<string, string[]>()
  const length = random.int(3, 5)
  for (let count = 1; count <= length; count++) {
    const next = count === 1 ? groups : changed(random, groups, count)
    if (count > 1 && random.chance(0.3)) await loseMachine(stack, deployment, random)
    const content = manifestOf(deployment, next)
    const plan = () =>
      client.plan({ manifest: { name: 'm.yml', content }, cloudConfigs: [{ name: 'c.yml', content: cloud }] })
    const view = await plan().catch((error) => {
      if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
      return null
    })
    if (view === null) {
      told.refused += 1
      continue
    }
    const say = (what: string) => void told.wrong.push(`${deployment}, document ${count}: ${what}`)
    if (view.plan.remodels.length > 0) {
      await client.apply(view.plan.id, {})
      const ended = await settled(client, view.plan.id, 300_000)
      told.deploys += 1
      if (ended !== 'done') {
        const failed = (await client.events(deployment, { plan: view.plan.id })).filter(
          ({ type }) => type === 'remodel.failed',
        )
        say(`it ${ended}: ${JSON.stringify(failed).slice(0, 600)}`)
        break
      }
    }
    for (const what of await processesWrong(stack, deployment, next)) say(what)
    const holds = await files(stack, deployment, next)
    for (const what of disksWrong(next, held, holds)) say(what)
    held = holds
    const again = await plan()
    if (again.plan.remodels.length > 0) say(`the second plan has ${again.plan.remodels.map(({ id }) => id).join(', ')}`)
    groups = next
  }
  const removal = await client.planRemoval(deployment)
  await client.apply(removal.plan.id, {})
  if ((await settled(client, removal.plan.id, 300_000)) !== 'done') told.wrong.push(`${deployment}: it was not removed`)
  return told
}

const said = async (stack: TestStack, deployment: string, instance: string, script: string) =>
  (await stack.client().exec(deployment, instance, { argv: ['/bin/bash', '-c', script] })).stdout.trim()

const ofGroup = (name: string) => (one: { instance: string }) => one.instance.startsWith(`${name}/`)

async function processesWrong(stack: TestStack, deployment: string, groups: readonly GroupWish[]): Promise<string[]> {
  const seen = await stack.client().instances(deployment)
  const wrong: string[] = []
  const wanted = groups.reduce((sum, { instances }) => sum + instances, 0)
  if (seen.length !== wanted) wrong.push(`${seen.length} instances stand instead of ${wanted}`)
  for (const group of groups) {
    for (const { instance, processes } of seen.filter(ofGroup(group.name))) {
      const names = group.jobs.flatMap(({ main, more }) => [...main, ...more]).sort()
      const running = processes.filter(({ state }) => state === 'running').map(({ name }) => name)
      if (running.sort().join() !== names.join())
        wrong.push(`${instance} runs ${running.join()} instead of ${names.join()}`)
      for (const job of group.jobs) {
        for (const name of [...job.main, ...job.more]) {
          const script = `p=$(cat ${pidsOf(job, group.disk)}/${name}.pid); stat -c %U /proc/$p; tr '\\0' ' ' < /proc/$p/cmdline`
          const found = await said(stack, deployment, instance, script)
          if (found !== `${job.user}\nsleep 100000`) wrong.push(`${name} on ${instance} is ${JSON.stringify(found)}`)
        }
      }
    }
  }
  return wrong
}

/** Group -> what its disks hold: a file of its own that each is given when it is first seen. */
async function files(
  stack: TestStack,
  deployment: string,
  groups: readonly GroupWish[],
): Promise<Map<string, string[]>> {
  const seen = await stack.client().instances(deployment)
  const mark = 'f=/var/vcap/store/mark; [ -e $f ] || echo $RANDOM$RANDOM$RANDOM > $f; cat $f'
  const found = new Map<string, string[]>()
  for (const { name, disk } of groups) {
    if (disk === 0) continue
    const marks = seen.filter(ofGroup(name)).map(({ instance }) => said(stack, deployment, instance, mark))
    found.set(name, await Promise.all(marks))
  }
  return found
}

/** A disk goes with the instances that its group has too many, with the disk of its group, or with its group. */
function disksWrong(
  groups: readonly GroupWish[],
  before: ReadonlyMap<string, string[]>,
  now: ReadonlyMap<string, string[]>,
): string[] {
  return groups.flatMap(({ name, instances, from }) => {
    const had = [
      ...(before.get(name) ?? []),
      ...from.filter((one) => one.name !== name).flatMap((one) => before.get(one.name) ?? []),
    ]
    const has = now.get(name)
    if (!has) return []
    const kept = had.filter((mark) => has.includes(mark)).length
    const least = Math.min(instances, had.length)
    return kept < least ? [`group ${name} has ${kept} of ${had.length} disks, ${least} at least are wanted`] : []
  })
}

/** A machine dies, as its host does. */
async function loseMachine(stack: TestStack, deployment: string, random: Random): Promise<void> {
  const vms = await stack.provider.listVms({ owner: `deployment/${deployment}` })
  if (vms.length === 0) return
  const text = await readFile(join(stack.home, 'machines/vms', random.pick(vms).id, 'pid'), 'utf8')
  process.kill(Number.parseInt(text, 10), 'SIGKILL')
}
