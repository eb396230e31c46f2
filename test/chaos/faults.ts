import { watch } from 'node:fs'
import { readdir, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { Redis } from 'ioredis'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Random } from '../sim/random.ts'
import type { ServiceName } from '../support/services.ts'
import type { Follower } from './follow.ts'
import type { ChaosStack, Slot } from './stack.ts'

export interface Scene {
  stack: ChaosStack
  /** Past the proxies, with the plans that lie in the blobstore. */
  ledger: Ledger
  follower: Follower
  random: Random
  /** VMs that were killed while plans used them: making one of them again is no double effect. */
  killedVms: Set<string>
  /** Failpoints of a service, and how the next process of a slot is armed. */
  failpointsOf(service: ServiceName): string[]
  armed: Map<string, string>
  log(line: string): void
}

/**
 * Does its harm, waits as long as it drew, and takes it back. Answers what it hit; null where there was nothing to hit.
 */
type Fault = (scene: Scene) => Promise<string | null>

const services: ServiceName[] = ['planner', 'compiler', 'assembler']
const alive = (scene: Scene, service?: ServiceName) =>
  scene.stack.slots.filter((slot) => slot.up && !slot.stopped && (service === undefined || slot.service === service))

function hit(scene: Scene, kind: string, slot: Slot): void {
  if (slot.service === 'planner') scene.follower.hitAll(kind)
  else scene.follower.hitWorker(kind, slot.worker)
}

/** A slot to hit: one with running work, if there is one within a while; an idle one shows little. */
async function target(scene: Scene, service?: ServiceName): Promise<Slot | undefined> {
  for (let n = 0; n < 60; n++) {
    const slots = alive(scene, service)
    const busy = slots.filter((slot) => slot.service === 'planner' || scene.follower.isBusy(slot.worker))
    if (busy.length > 0) return scene.random.pick(busy)
    await sleep(50)
  }
  return scene.random.pick(alive(scene, service))
}

function kill(service: ServiceName): Fault {
  return async (scene) => {
    const slot = await target(scene, service)
    if (!slot) return null
    hit(scene, `kill-${service}`, slot)
    slot.signal('SIGKILL')
    return slot.name
  }
}

/** From a stall, which changes nothing, to a worker that is given up: the work is in other hands when it wakes. */
function pause(service: ServiceName): Fault {
  return async (scene) => {
    const slot = await target(scene, service)
    if (!slot) return null
    const ms = scene.random.int(3500, 13_000)
    hit(scene, `pause-${service}`, slot)
    slot.signal('SIGSTOP')
    const { child } = slot
    await sleep(ms)
    child?.kill('SIGCONT')
    return `${slot.name} for ${ms} ms`
  }
}

/** Weather over the connections of one service for a while. */
function network(kind: string, begin: (slot: Slot, random: Random) => string, from = 2000, to = 6000): Fault {
  return async (scene) => {
    const slot = await target(scene)
    if (!slot) return null
    const ms = scene.random.int(from, to)
    hit(scene, kind, slot)
    const what = begin(slot, scene.random)
    await sleep(ms)
    slot.proxy.calm()
    return `${slot.name}: ${what} for ${ms} ms`
  }
}

async function withRedisDown(scene: Scene, kind: string, meanwhile: () => Promise<string>): Promise<string> {
  await scene.stack.redis.kill('SIGKILL')
  const what = await meanwhile()
  const ms = scene.random.int(0, 1200)
  await sleep(ms)
  await scene.stack.redis.restart()
  scene.follower.hitAll(kind)
  return `${what}down for ${ms} ms`
}

/**
 * Cuts the newest append-only file in the middle of its last commands, as a power cut could have left it, and mends it
 * with redis-check-aof as an operator has to. Without that, Redis 7.0 leaves the beginning of a transaction that was
 * cut in the file and carries it out at its next start but one: see README.md.
 */
async function cutAof(scene: Scene, mend: boolean): Promise<string> {
  const folder = join(scene.stack.redisDirectory, 'appendonlydir')
  const files = (await readdir(folder)).filter((name) => name.endsWith('.incr.aof')).sort()
  const file = join(folder, files.at(-1)!)
  const { size } = await stat(file)
  const bytes = Math.min(size, scene.random.int(1, 3000))
  await truncate(file, size - bytes)
  if (mend) await execa('redis-check-aof', ['--fix', file], { input: 'y\n', reject: false })
  return `${bytes} of ${size} bytes cut, ${size - bytes - (await stat(file)).size} more mended away, `
}

async function truncation(scene: Scene, kind: string, mend: boolean): Promise<string> {
  const what = await withRedisDown(scene, kind, () => cutAof(scene, mend))
  await scene.follower.afterRollback(scene.ledger)
  return what
}

async function direct<T>(scene: Scene, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(scene.stack.redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  redis.on('error', () => {})
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** PID 1 of a VM, as this machine numbers it; null where it is not the process that the VM was started with. */
async function pidOf(scene: Scene, vm: string): Promise<number | null> {
  try {
    const [pid, start] = (await readFile(join(scene.stack.machines, 'vms', vm, 'pid'), 'utf8')).split(' ')
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === start ? Number(pid) : null
  } catch {
    return null
  }
}

const killVm: Fault = async (scene) => {
  const vms = (await scene.stack.provider.listVms()).filter((vm) => vm.state === 'running')
  const vm = scene.random.pick(vms)
  const pid = vm && (await pidOf(scene, vm.id))
  if (!vm || !pid) return null
  const [type, owner] = vm.ownership.owner.split('/')
  scene.killedVms.add(vm.id)
  if (type === 'deployment') scene.follower.hitDeployment('kill-vm', owner!)
  else scene.follower.hitWorker('kill-vm', owner!)
  process.kill(pid, 'SIGKILL')
  return vm.id
}

const hourMs = 3600_000

/** Sets the clock of Redis or of one service, by up to two days either way; it goes on from there. */
const stepClock: Fault = async (scene) => {
  const slot = scene.random.chance(0.5) ? undefined : await target(scene)
  const offsetMs = scene.random.int(1, 48) * hourMs * (scene.random.chance(0.5) ? 1 : -1)
  if (slot) hit(scene, 'clock-step', slot)
  else scene.follower.hitAll('clock-step')
  const whose = slot?.name ?? 'redis'
  await scene.stack.clocks.set(whose, offsetMs)
  return `${whose} is ${offsetMs / hourMs} hours off`
}

/** The next compile VM that is made gets a disk of two pages: whatever is unpacked or compiled there finds it full. */
const fillDisk: Fault = async (scene) => {
  const folder = join(scene.stack.machines, 'vms')
  const stop = AbortSignal.timeout(6000)
  const seen = new Set(await readdir(folder))
  const full = Promise.withResolvers<string | null>()
  stop.addEventListener('abort', () => full.resolve(null))
  const watcher = watch(folder, async (_, name) => {
    if (!name || seen.has(name) || !name.startsWith('vm-compiler-')) return
    seen.add(name)
    for (let n = 0; n < 300 && !stop.aborted; n++) {
      const ready = await stat(join(folder, name, 'ready')).catch(() => null)
      const pid = ready && (await pidOf(scene, name))
      if (pid) {
        const mounted = await execa(
          'nsenter',
          ['-t', String(pid), '-m', 'mount', '-t', 'tmpfs', '-o', 'size=8k', 'none', '/var/vcap/data'],
          { reject: false },
        )
        scene.follower.hitWorker('fill-disk', /^vm-(.*)-\d+$/.exec(name)?.[1] ?? null)
        full.resolve(mounted.exitCode === 0 ? name : null)
        return
      }
      await sleep(2)
    }
  })
  try {
    return await full.promise
  } finally {
    watcher.close()
  }
}

/** The slot's next process dies by itself, at one of its own durable boundaries. */
const failpoint: Fault = async (scene) => {
  const slot = await target(scene)
  if (!slot) return null
  const point = scene.random.pick(scene.failpointsOf(slot.service))
  const arming = `${point}=kill@${scene.random.int(1, 3)}`
  scene.armed.set(slot.name, arming)
  hit(scene, 'failpoint', slot)
  slot.signal('SIGKILL')
  return `${slot.name} begins with ${arming}`
}

/** Lists and sets that say where jobs stand; the other keys are the jobs' own. */
const places = /:(wait|paused|active|prioritized|delayed|completed|failed|stalled|marker)$/
const isJob = (key: string) => !places.test(key)

/**
 * In which order the keys of queues are deleted. All at once is what FLUSHDB does; the others leave every half of it.
 */
const flushes: Record<string, (keys: string[], random: Random) => string[]> = {
  'flush-queues': (keys) => keys,
  'flush-queues-by-key': (keys, random) => random.shuffle(keys),
  'flush-queues-lists-first': (keys, random) =>
    random.shuffle(keys).sort((a, b) => Number(isJob(a)) - Number(isJob(b))),
  'flush-queues-hashes-first': (keys, random) =>
    random.shuffle(keys).sort((a, b) => Number(isJob(b)) - Number(isJob(a))),
}

function flush(kind: string): Fault {
  return (scene) =>
    direct(scene, async (redis) => {
      const all = await Promise.all(
        ['compile', 'assemble', 'deploys'].map((queue) => redis.keys(`{remodel}:${queue}:*`)),
      )
      const keys = flushes[kind]!(all.flat(), scene.random)
      const step = kind === 'flush-queues' ? keys.length : 1
      // Some of the half is enough, and what stays is another half.
      const end = kind === 'flush-queues' ? keys.length : scene.random.int(0, keys.length)
      for (let i = 0; i < end; i += step) {
        await redis.del(...keys.slice(i, i + step))
        if (step === 1 && scene.random.chance(0.2)) await sleep(scene.random.int(1, 60))
      }
      scene.follower.hitAll(kind)
      return `${end} of ${keys.length} keys`
    })
}

/** Every kind of fault with its weight in the draw. */
export const faults: Record<string, { weight: number; run: Fault }> = {
  'kill-planner': { weight: 3, run: kill('planner') },
  'kill-compiler': { weight: 4, run: kill('compiler') },
  'kill-assembler': { weight: 4, run: kill('assembler') },
  'kill-all': {
    weight: 1,
    run: async (scene) => {
      scene.follower.hitAll('kill-all')
      for (const slot of scene.stack.slots) slot.signal('SIGKILL')
      return 'every service'
    },
  },
  'pause-planner': { weight: 2, run: pause('planner') },
  'pause-compiler': { weight: 2, run: pause('compiler') },
  'pause-assembler': { weight: 2, run: pause('assembler') },
  'pause-redis': {
    weight: 1,
    run: async (scene) => {
      const ms = scene.random.int(1000, 5000)
      const pid = scene.stack.redis.pid()
      process.kill(pid, 'SIGSTOP')
      await sleep(ms)
      // It may have been killed meanwhile: then another process has its place.
      if (pid === scene.stack.redis.pid()) process.kill(pid, 'SIGCONT')
      scene.follower.hitAll('pause-redis')
      return `for ${ms} ms`
    },
  },
  'kill-redis': { weight: 2, run: (scene) => withRedisDown(scene, 'kill-redis', async () => '') },
  'promote-replica': {
    weight: 1,
    run: async (scene) => {
      const lostMs = scene.random.int(0, 600)
      await scene.stack.redis.promoteReplica(lostMs)
      scene.follower.hitAll('promote-replica')
      await scene.follower.afterRollback(scene.ledger)
      return `the last ${lostMs} ms are lost`
    },
  },
  'clock-step': { weight: 2, run: stepClock },
  'truncate-aof': { weight: 1, run: (scene) => truncation(scene, 'truncate-aof', true) },
  // Only by --only: it shows what Redis itself makes of a file that was not mended.
  'truncate-aof-unmended': { weight: 0, run: (scene) => truncation(scene, 'truncate-aof-unmended', false) },
  ...Object.fromEntries(Object.keys(flushes).map((kind) => [kind, { weight: 1, run: flush(kind) }])),
  'cut-connections': {
    weight: 3,
    run: async (scene) => {
      const slot = await target(scene)
      if (!slot) return null
      hit(scene, 'cut-connections', slot)
      slot.proxy.cut()
      return slot.name
    },
  },
  flap: {
    weight: 1,
    run: async (scene) => {
      const slot = await target(scene)
      if (!slot) return null
      hit(scene, 'flap', slot)
      for (let n = 0; n < 6; n++) {
        slot.proxy.cut()
        await sleep(700)
      }
      return slot.name
    },
  },
  slow: {
    weight: 2,
    run: network('slow', (slot, random) => {
      const latencyMs = random.int(20, 200)
      slot.proxy.set({ latencyMs, jitterMs: latencyMs })
      return `${latencyMs} ms late`
    }),
  },
  slice: {
    weight: 1,
    run: network('slice', (slot, random) => {
      const sliceBytes = random.int(1, 16)
      slot.proxy.set({ sliceBytes })
      return `pieces of ${sliceBytes}`
    }),
  },
  blackhole: {
    weight: 2,
    run: network('blackhole', (slot, random) => {
      const hole = random.pick(['up', 'down', 'both'] as const)
      slot.proxy.set({ hole })
      return `nothing goes ${hole}`
    }),
  },
  'half-open': {
    weight: 1,
    run: network('half-open', (slot) => {
      slot.proxy.halfOpen()
      return 'half open'
    }),
  },
  'kill-vm': { weight: 3, run: killVm },
  'fill-disk': { weight: 2, run: fillDisk },
  failpoint: { weight: 4, run: failpoint },
}

export { services }
