import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, vi } from 'vitest'
import { freePort } from './redis.ts'

const slots = 16_384

/** What ends what was started; the last is to be called first. */
type Ending = (() => Promise<unknown> | unknown)[]

export interface Member {
  port: number
  redis: Redis
  id: string
  /** The port of its bus. */
  bus: number
  kill(): Promise<void>
}

/**
 * A node of a cluster; its bus has a port of its own. What ends it is put on `ending`, whose last
 * is to be called first.
 */
export async function startNode(ending: Ending, more: string[] = [], at?: number): Promise<Member> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-cluster-'))
  const [port, bus] = [at ?? (await freePort()), await freePort()]
  const settings = { port, bind: '127.0.0.1', dir: folder, 'cluster-enabled': 'yes', 'cluster-port': bus }
  const own = { 'cluster-node-timeout': 1000, appendonly: 'yes', appendfsync: 'always', 'repl-diskless-sync-delay': 0 }
  // A replica may take over however long it has not heard of its primary: computers may be slow.
  const patient = { 'cluster-replica-validity-factor': 0 }
  const argv = Object.entries({ ...settings, ...own, ...patient }).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const child = spawn('redis-server', [...argv, '--save', '', ...more], { stdio: 'ignore' })
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  ending.push(() => rm(folder, { recursive: true, force: true }), kill)
  const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  redis.on('error', () => {})
  ending.push(() => redis.disconnect())
  const id = String(await redis.cluster('MYID').catch(() => ''))
  return { port, redis, id, bus, kill }
}

/** Nodes that know each other; the first has every slot. */
export async function startCluster(ending: Ending, count: number): Promise<Member[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(ending)))
  const first = nodes[0]!
  await first.redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, slots - 1)
  for (const [n, { port, redis, bus }] of nodes.entries()) {
    await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)
    if (n > 0) await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', port, bus)
  }
  for (const { redis } of nodes) {
    await vi.waitFor(async () => {
      const info = await redis.call('CLUSTER', 'INFO')
      expect(info).toContain('cluster_state:ok')
      expect(info).toContain(`cluster_known_nodes:${count}`)
    }, 30_000)
  }
  return nodes
}

export const clusterUrl = (...nodes: Member[]) =>
  `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`

/** Moves the slot of the installation from one node to another, keys and all, as an operator's tool does. */
export async function moveSlot(slot: number, from: Member, to: Member): Promise<void> {
  await to.redis.cluster('SETSLOT', slot, 'IMPORTING', from.id)
  await from.redis.cluster('SETSLOT', slot, 'MIGRATING', to.id)
  for (;;) {
    const keys = await from.redis.cluster('GETKEYSINSLOT', slot, 100)
    if (keys.length === 0) break
    await from.redis.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
    await sleep(20)
  }
  await to.redis.cluster('SETSLOT', slot, 'NODE', to.id)
  await from.redis.cluster('SETSLOT', slot, 'NODE', to.id)
}
