import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../shared/api/client.ts'
import type { ProcessStatus } from '../shared/provider/connection.ts'
import { startServices, type TestStack } from '../test/support/services.ts'
import { deploySmall, type SmallOptions, uploadSmall } from '../test/support/small.ts'
import { atMost, type Figure, noted, percentile } from './figure.ts'

const bench = 'healing'
/** Each instance has each fault once: what is lost again soon is left alone, and would measure that. */
const sites: readonly SmallOptions[] = [1, 2, 3].map((n) => ({
  ...{ name: `healing-${n}`, net: 80 + n, instances: 4, maxInFlight: 4, disk: 0 },
}))
/** After a repair its instance is left alone for so long. */
const pauseMs = 31_000
const busyLoops = 8

/**
 * How soon what was lost runs again, from the kill to the first look that sees its process run; and how often anything
 * is taken for lost while the computer is loaded and Redis stands still. Time-boxed: ten minutes at most of that.
 */
export async function run({ minutes }: { minutes: number }): Promise<Figure[]> {
  const stack = await startServices({ planner: 1, compiler: 1, assembler: 2 })
  try {
    const client = stack.client()
    await uploadSmall(client)
    for (const site of sites) await deploySmall(client, site)
    for (const { name } of sites) await client.heal(name!, { mode: 'apply', message: 'bench' })
    const load = () => `load ${loadavg()[0]!.toFixed(1)}`
    const figures: Figure[] = []
    for (const [fault, target, against] of [
      ['process killed', 0.5, 'monit looks every 30 s or less'],
      ['machine killed', 2, 'BOSH: 60 s until it is lost, and minutes to make it'],
      ['machine frozen', 4, 'the same'],
    ] as const) {
      const taken: number[] = []
      for (const { name } of sites) {
        for (const machine of await machinesOf(stack, name!)) taken.push(await faults[fault](stack, machine))
      }
      const value = percentile(taken, 95) / 1000
      const what = `${fault}, runs again, p95 of ${taken.length}`
      figures.push(atMost({ bench, case: what, value, unit: 's', against: `${against}; ${load()}` }, target))
      if (fault !== 'process killed') await sleep(pauseMs)
    }
    return [...figures, await falseAlarms(stack, client, Math.min(minutes, 10))]
  } finally {
    await stack.stop()
  }
}

interface Machine {
  id: string
  owner: string
  purpose: string
}

async function machinesOf(stack: TestStack, deployment: string): Promise<Machine[]> {
  const vms = await stack.provider.listVms({ owner: `deployment/${deployment}` })
  return vms.map(({ id, ownership: { owner, purpose } }) => ({ id, owner, purpose }))
}

type Fault = (stack: TestStack, machine: Machine) => Promise<number>

const faults: Record<'process killed' | 'machine killed' | 'machine frozen', Fault> = {
  async 'process killed'(stack, machine) {
    const [process] = await statusOf(stack, machine.id)
    const connection = await stack.provider.connect(machine.id, null)
    const killed = performance.now()
    await connection.exec(['kill', '-9', String(process!.pid)])
    connection.close()
    await until(async () => {
      const [now] = await statusOf(stack, machine.id)
      return now?.state === 'running' && now.pid !== process!.pid
    })
    return performance.now() - killed
  },
  'machine killed': (stack, machine) => lose(stack, machine, 'SIGKILL'),
  'machine frozen': (stack, machine) => lose(stack, machine, 'SIGSTOP'),
}

async function lose(stack: TestStack, { id, owner, purpose }: Machine, signal: NodeJS.Signals): Promise<number> {
  const pid = (await readFile(join(stack.home, 'machines', 'vms', id, 'pid'), 'utf8')).split(' ')[0]
  const lost = performance.now()
  process.kill(Number(pid), signal)
  await until(async () => {
    const [other] = (await stack.provider.listVms({ owner, purpose })).filter((vm) => vm.id !== id)
    return other?.state === 'running' && (await statusOf(stack, other.id)).some(({ state }) => state === 'running')
  })
  return performance.now() - lost
}

async function statusOf({ provider }: TestStack, machine: string): Promise<ProcessStatus[]> {
  try {
    const connection = await provider.connect(machine, null)
    try {
      return await connection.status()
    } finally {
      connection.close()
    }
  } catch {
    return []
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 120_000
  while (!(await holds())) {
    if (performance.now() >= end) throw new Error('what was lost does not run again within two minutes')
    await sleep(10)
  }
}

/** Repairs of machines that are well, while eight loops take both cores and Redis stands still 5 s of each minute. */
async function falseAlarms(stack: TestStack, client: Client, minutes: number): Promise<Figure> {
  const repairs = async () => {
    const all = await Promise.all(sites.map(({ name }) => client.healing(name!)))
    return all.reduce((sum, one) => sum + one.repairs.length, 0)
  }
  const before = await repairs()
  const loops = Array.from({ length: busyLoops }, () => spawn(process.execPath, ['-e', 'for (;;);']))
  let highest = 0
  try {
    for (let minute = 0; minute < minutes; minute++) {
      process.kill(stack.redis.pid(), 'SIGSTOP')
      await sleep(5000)
      process.kill(stack.redis.pid(), 'SIGCONT')
      await sleep(55_000)
      highest = Math.max(highest, loadavg()[0]!)
    }
  } finally {
    for (const loop of loops) loop.kill('SIGKILL')
  }
  const what = `taken for lost in ${minutes} minutes of ${busyLoops} busy loops, Redis still for 5 s of each`
  const value = (await repairs()) - before
  const figure = { bench, case: what, value, unit: 'machines', against: `none; load ${highest.toFixed(1)}` }
  return minutes >= 10 ? atMost(figure, 0) : { ...noted(figure), pass: value === 0 }
}
