import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { eachAtMost } from '../../shared/runtime/parallel.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startServices, type TestStack } from '../../test/support/services.ts'
import { planSmall, uploadSmall } from '../../test/support/small.ts'
import { atMost, type Figure, median, noted } from '../figure.ts'
import { noopPlan } from './noop-plan.ts'

const [few, many] = [10, 1000]
/** Of each deployment. */
const machines = 2
const plansMeasured = 20

/**
 * What one more plan costs a planner that has many deployments already: their plans, machines, disks and addresses in
 * one network. Their machines answer no command and are not asked: they belong to others. A planner beside few and
 * one beside many are asked in turns, so that what else the machine does falls upon both.
 */
export async function manyFigures(bench: string): Promise<Figure[]> {
  const towns = [await openTown(few), await openTown(many)] as const
  try {
    for (let round = 0; round < plansMeasured; round++) {
      // The one that comes first meets another machine than the second one: they take turns at that too.
      for (const town of round % 2 === 0 ? towns : [...towns].reverse()) await town.measure()
    }
    const [small, large] = [towns[0].middle(), towns[1].middle()]
    const against = `each of ${machines} machines and ${machines} disks, all addresses in one network`
    const of = (n: number) => `one more plan beside ${n.toLocaleString('en')} deployments`
    return [
      noted({ bench, case: of(few), value: small.ms, unit: 'ms', against }),
      noted({ bench, case: of(many), value: large.ms, unit: 'ms', against }),
      noted({ bench, case: `${of(few)}, processor time`, value: small.processor, unit: 'ms', against }),
      noted({ bench, case: `${of(many)}, processor time`, value: large.processor, unit: 'ms', against }),
      atMost(
        {
          bench,
          case: `one more plan, beside ${many.toLocaleString('en')} over beside ${few}`,
          value: large.ms / small.ms,
          unit: 'ratio',
          against: `medians of ${plansMeasured} plans each, in turns`,
        },
        1.2,
      ),
    ]
  } finally {
    for (const town of towns) await town.close()
  }
}

/** A planner beside that many deployments, and what plans of one more have cost it. */
async function openTown(deployments: number) {
  const stack = await startServices({ planner: 1 })
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const redis = connectRedis(settings, 'service')
  const client = stack.client()
  const close = async () => {
    await rm(join(stack.home, 'machines', 'vms'), { recursive: true, force: true })
    redis.disconnect()
    await stack.stop()
  }
  try {
    await uploadSmall(client)
    await stand(new Ledger(redis, settings), stack.home, deployments)
    let serial = 0
    const plan = () => timed(() => planSmall(client, { name: 'one', greeting: `${++serial}` }))
    // The first one starts Ruby, the second one reads what is remembered from then on.
    for (let i = 0; i < 2; i++) await plan()
    const taken: number[] = []
    let processor = 0
    return {
      close,
      async measure() {
        const before = await processorMs(stack)
        taken.push(await plan())
        processor += (await processorMs(stack)) - before
      },
      middle: () => ({ ms: median(taken), processor: processor / taken.length }),
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** What is there of so many deployments, as if they had been deployed. */
async function stand(ledger: Ledger, home: string, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => i)
  await eachAtMost(32, numbers, async (i) => {
    const deployment = `recorded-${i}`
    await ledger.store(noopPlan(deployment, 1), Date.now())
    const own = Array.from({ length: machines }, (_, n) => {
      const number = i * machines + n
      return { number, address: `127.9.${number >> 8}.${number & 255}` }
    })
    const names = own.map(({ address }) => ({ type: 'address', scope: '', name: address }))
    await ledger.names.hold({ deployment, why: 'stands' }, names)
    const ownership = { owner: `deployment/${deployment}`, purpose: 'app', vm: '{}' }
    for (const { number, address } of own) {
      const [vm, disk] = [`vm-${deployment}-app-${number}-0123abcd`, `disk-${deployment}-${number}`]
      const asked = { stemcell: 'local/1', addresses: [address], network: { range: '127.9.0.0/16' }, resources: {} }
      await write(home, `vms/${vm}`, {
        'vm.json': JSON.stringify({ id: vm, ...asked, ownership, createdAt: 0 }),
        ready: '',
        pid: `1 2 3 4 ${number}`,
      })
      await write(home, `disks/${disk}`, {
        'disk.json': JSON.stringify({ id: disk, sizeMiB: 16, ownership }),
        attached: `${vm} ${number}`,
      })
    }
  })
}

async function write(home: string, below: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(home, 'machines', below)
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
}

/** Milliseconds of processor time that the planner has used. */
async function processorMs(stack: TestStack): Promise<number> {
  const stat = await readFile(`/proc/${stack.services[0]!.process.pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}
