import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listFailpoints } from '../../chaos/failpoints.ts'
import { type Service, type ServiceName, settled, startServices, type TestStack } from '../../support/services.ts'
import { ask, deploy, documentOf, expectWhole, standing } from './support.ts'
import { Writer } from './writer.ts'

/**
 * A node is added and removed while both others are written to, and a service is killed at one point of it, for every point:
 * the plan goes on to its end, nothing is lost or doubled, and nothing is left of the node.
 */
let stack: TestStack
const net = 83
const two = { net, nodes: { n1: 'a', n2: 'c' } }
const three = { net, nodes: { n1: 'a', n2: 'c', n3: 'ef' }, source: { n3: 'n1' } }

/** Reached by neither: an empty cluster and its database, a standing node, another primary, a restart. */
const elsewhere = /^(set-up-instance\.(founded|restarted)|arrange-node|set-up-database\.|fail-over\.|switch-over\.)/
const own = listFailpoints().filter(({ at, name }) => at.includes('/steps/database/') && !elsewhere.test(name))
const core = listFailpoints().filter(({ name }) => /^(assembler|ledger|dispatch)\.(?!joined)/.test(name))

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  await deploy(stack.client(), two)
})

afterAll(() => stack.stop())

async function replace(name: ServiceName, env: Record<string, string>): Promise<Service> {
  for (const service of stack.services.filter((one) => one.name === name)) await service.kill('SIGKILL')
  return stack.start(name, env)
}

const died = (name: ServiceName) =>
  stack.services.findLast((one) => one.name === name)?.process.signalCode === 'SIGKILL'

/** Carries a plan out; whoever dies meanwhile is started again. */
async function carryOut(wish: typeof two, watched: ServiceName): Promise<string> {
  for (let n = 0; ; n++) {
    try {
      const client = stack.client()
      const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(wish) } })
      await client.apply(plan.id, { holder: 'test', waitSeconds: 30 }).catch(async (error) => {
        await sleep(500)
        if (!died(watched)) throw error
      })
      const over = new AbortController()
      const reviver = (async () => {
        while (!over.signal.aborted) {
          if (died(watched)) await stack.start(watched)
          await sleep(50)
        }
      })()
      const limit = performance.now() + 90_000
      let state = 'running'
      while (!['done', 'failed', 'cancelled'].includes(state) && performance.now() < limit) {
        state = await settled(stack.client(), plan.id, 1000).catch(() => 'running')
        const record = await stack
          .client()
          .planView(plan.id)
          .catch(() => null)
        if (record?.status.state === 'stored') break
      }
      over.abort()
      await reviver
      if (state === 'done') return state
      if (state !== 'running' || n > 1) {
        const { status } = await stack.client().planView(plan.id)
        throw new Error(`${state} ${JSON.stringify(status.errors)}`)
      }
    } catch (error) {
      // The connection breaks a little before the process is known to be gone.
      await sleep(500)
      if (!died(watched) || n > 1) throw error
      await stack.start(watched)
    }
  }
}

async function expectNothingOf(node: string): Promise<void> {
  for (const hosts of ['a', 'c']) {
    const like = `LIKE '%${node}%'`
    expect(await ask(net, hosts, `SELECT slot_name FROM pg_replication_slots WHERE slot_name ${like}`)).toEqual([])
    expect(await ask(net, hosts, `SELECT subname FROM pg_subscription WHERE subname ${like}`)).toEqual([])
    expect(await ask(net, hosts, 'SELECT count(*)::int FROM pg_replication_origin')).toEqual([[1]])
    expect(await ask(net, hosts, 'SELECT count(*)::int FROM pg_replication_slots')).toEqual([[1]])
  }
  expect(await standing(stack)).toEqual(['a', 'c'].flatMap((host) => [`db-shop-${host}`, `db-shop-${host}-data`]))
}

describe('killed while a node is added or removed', () => {
  test.for([...own, ...core])('$name', { timeout: 240_000 }, async ({ name, service }) => {
    const armed = await replace(service, { REMODEL_FAILPOINTS: `${name}=kill` })
    const writers = [new Writer(net, `n1-${name}`, 'a'), new Writer(net, `n2-${name}`, 'c')]
    try {
      expect(await carryOut(three, service)).toBe('done')
      await Promise.all(writers.map((writer) => writer.stop()))
      const acknowledged = writers.flatMap((writer) => writer.acknowledged)
      await expectWhole(net, ['a', 'c', 'ef'], acknowledged)
      expect(await carryOut(two, service)).toBe('done')
      await expectNothingOf('n3')
      expect(armed.process.signalCode, 'it was killed there').toBe('SIGKILL')
    } finally {
      await Promise.all(writers.map((writer) => writer.stop()))
    }
  })
})
