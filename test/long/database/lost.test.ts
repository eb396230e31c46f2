import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findDatabase } from '../../../kinds/database/cli/databases.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

function killMachine(vm: string): void {
  const file = join(field.stack.home, 'machines/vms', vm, 'pid')
  process.kill(Number(readFileSync(file, 'utf8').split(' ')[0]), 'SIGKILL')
}

const causes = async (name: string) =>
  (await findDatabase(name, field.client)).causes.map(({ what }) => what).join('\n')

describe('a database of two nodes with a replica each', { timeout: 900_000 }, () => {
  const shop = () => field.document('D12-no-failover-between-deploys/1-shop.yml')

  test('says which machine is lost, of a primary or of a replica, and the next deploy brings all back without a row lost', async () => {
    const document = shop()
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('shop', 'a', 1, async (session) => {
      await session.query('SET synchronous_commit = on')
      await session.query(`INSERT INTO item SELECT g, 'n1' FROM generate_series(1, 500) g`)
    })
    killMachine('db-shop-a')
    await expect.poll(() => causes('shop'), { timeout: 60_000 }).toMatch(/n1 takes no writes: n1-a is missing/)
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    killMachine('db-shop-d')
    await expect.poll(() => causes('shop'), { timeout: 60_000 }).toMatch(/n2-d is missing/)
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    expect(await causes('shop')).toBe('')
    for (const [host, address] of Object.entries({ a: 1, b: 2, c: 3, d: 4 })) {
      await field.inDatabase('shop', host, address, async (session) => {
        await expect.poll(() => session.value('SELECT count(*)::int FROM item'), { timeout: 60_000 }).toBe(500)
      })
    }
  })

  test('is never said to be level while a node lacks rows of another', async () => {
    const document = field.document('D08-lag-says-0ms/shop.yml')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    const { primary } = (await findDatabase('shop', field.client)).nodes.find(({ node }) => node === 'n1')!
    const [host, address] = primary === 'n1-a' ? (['a', 1] as const) : (['b', 2] as const)
    await field.inDatabase('shop', host, address, async (writer) => {
      await field.inDatabase('shop', 'c', 3, async (reader) => {
        const lacks = async () => (await reader.value('SELECT count(*)::int FROM item WHERE id > 1000000')) !== 100_000
        await writer.query(`INSERT INTO item SELECT 1000000 + g, repeat('x', 1000) FROM generate_series(1, 100000) g`)
        while (await lacks()) {
          const { nodes } = await findDatabase('shop', field.client)
          // Those that came while the servers were asked prove nothing.
          if (!(await lacks())) break
          const servers = nodes.flatMap(({ instances }) => instances)
          const peers = servers.filter(({ instance }) => instance === primary).flatMap(({ database }) => database.peers)
          // A server that does not answer in time says nothing.
          for (const peer of peers) {
            expect(peer.lagBytes).toBeGreaterThan(0)
            expect(peer.lagSeconds).not.toBe(0)
          }
        }
      })
    })
  })
})

describe('a node whose data is gone', { timeout: 600_000 }, () => {
  test.each(['removed from the document', 'deleted with its deployment'])('can be %s', async (how) => {
    const both = field.document('D11-dead-node-cannot-be-removed/a.yml')
    // Addresses of its own, as the other database is still there.
    const elsewhere = both.replaceAll(/(127\.\d+\.0\.)(\d)/g, '$15$2')
    expect(await field.deploy(elsewhere)).toMatchObject({ state: 'done', said: '' })
    const machine = await field.stack.provider.connect('db-gone-q', null)
    await machine.exec(['/bin/sh', '-c', 'rm -rf /var/vcap/store/postgres; kill -9 -1'])
    machine.close()
    const plan = how.startsWith('removed')
      ? ((await field.plan(elsewhere.replace(/^.*name: n2.*\n/m, ''))) as Plan)
      : (await field.client.planRemoval('gone')).plan
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
    if (how.startsWith('removed')) {
      expect((await field.client.instances('gone')).map(({ instance }) => instance)).toEqual(['n1-p'])
      expect(await field.carryOut((await field.client.planRemoval('gone')).plan)).toMatchObject({ state: 'done' })
    }
    expect((await field.client.deployments()).map(({ name }) => name)).not.toContain('gone')
  })
})

describe('a script of a document that the server refuses', { timeout: 200_000 }, () => {
  test('fails at once with its place, and the log of the server can be read', async () => {
    const document = field.document('D07-no-logs-of-databases/l3.yml')
    const elsewhere = document.replaceAll(/(127\.\d+\.0\.)(\d)/g, '$17$2')
    const { state, said } = await field.deploy(elsewhere)
    expect(state).toBe('failed')
    expect(said).toMatch(
      /job-failed: scripts\.post_database_create\[2\] failed, .*one transaction: .*CREATE INDEX CONCURRENTLY/,
    )
    expect(said).not.toContain('attempt')
    const { files } = await field.client.logs('ext', 'n1-p', {})
    expect(files.map(({ content }) => content).join('\n')).toContain('CREATE INDEX CONCURRENTLY cannot run')
  })
})
