import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const cases = 'D03-remove-node-loses-rows'
const rowsOfOne = async (): Promise<Set<string>> => {
  let ids: string[] = []
  await field.inDatabase('gone', 'p', 1, async (session) => {
    ids = (await session.query('SELECT id::text FROM item')).map(({ id }) => String(id))
  })
  return new Set(ids)
}

/** A client that writes to n2 as fast as it goes, in transactions that say themselves that they write. */
class Client {
  readonly acknowledged: string[] = []
  #stopped = false
  readonly #running: Promise<void>

  constructor(from: number) {
    this.#running = this.#run(from)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(from: number): Promise<void> {
    let client: pg.Client | undefined
    for (let id = from; !this.#stopped; id++) {
      try {
        if (!client) {
          const at = { host: `127.${field.net}.0.2`, port: 5432, database: 'gone', user: 'app', password: 'change-me' }
          client = new pg.Client({ ...at, connectionTimeoutMillis: 2000 })
          client.on('error', () => {})
          await client.connect()
        }
        await client.query('BEGIN READ WRITE')
        await client.query('INSERT INTO item VALUES ($1, $2)', [id, 'n2'])
        await client.query('COMMIT')
        this.acknowledged.push(String(id))
      } catch {
        await client?.end().catch(() => {})
        client = undefined
        await new Promise((resolve) => void setTimeout(resolve, 20))
      }
    }
    await client?.end()
  }
}

describe('a node that is removed', { timeout: 600_000 }, () => {
  test('while it takes writes gives all that it acknowledged to the other, and then goes', async () => {
    const [two, one] = [field.document(`${cases}/1-two-nodes.yml`), field.document(`${cases}/2-one-node.yml`)]
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    const client = new Client(1)
    await expect.poll(() => client.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(200)
    const plan = (await field.plan(one)) as Plan
    expect(plan.consequences?.[0]).toMatch(/^node n2 goes: its writes end/)
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
    await client.stop()
    const there = await rowsOfOne()
    expect(client.acknowledged.filter((id) => !there.has(id))).toEqual([])
  })

  test('waits for a node that is held up, and goes when that one has all of it', async () => {
    const [two, one] = [field.document(`${cases}/1-two-nodes.yml`), field.document(`${cases}/2-one-node.yml`)]
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    const plan = (await field.plan(one)) as Plan
    const last = '9000100'
    await field.inDatabase('gone', 'p', 1, async (session) => {
      // What comes from n2 cannot be written down here until this ends.
      await session.query('BEGIN')
      await session.query('LOCK TABLE item IN SHARE MODE')
      await field.inDatabase('gone', 'q', 2, async (other) => {
        await other.query(`INSERT INTO item SELECT g, 'n2' FROM generate_series(9000001, ${last}) g`)
      })
      await field.client.apply(plan.id, {})
      const closed = () => field.sql('gone', 'q', 2, 'SELECT count(*)::int FROM pg_db_role_setting WHERE setrole = 0')
      await expect.poll(closed, { timeout: 60_000 }).toBe(1)
      // More than it takes a drain that waits for none.
      await new Promise((resolve) => void setTimeout(resolve, 4000))
      const { remodels } = await field.client.planView(plan.id)
      expect(remodels.find(({ id }) => id === 'drain-node node/n2')?.state).toBe('running')
      await session.query('COMMIT')
    })
    expect(await field.ended(plan)).toMatchObject({ state: 'done' })
    expect((await rowsOfOne()).has(last)).toBe(true)
  })

  test('takes writes again where its worker died in the drain, the plan is over, and the document has it again', async () => {
    const [two, one] = [field.document(`${cases}/1-two-nodes.yml`), field.document(`${cases}/2-one-node.yml`)]
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    const plan = (await field.plan(one)) as Plan
    await field.stall('drain-node.closed')
    await field.client.apply(plan.id, {})
    const closed = () => field.sql('gone', 'q', 2, 'SELECT count(*)::int FROM pg_db_role_setting WHERE setrole = 0')
    await expect.poll(closed, { timeout: 60_000 }).toBe(1)
    await field.client.cancel(plan.id)
    await field.replaceAssemblers()
    expect(['cancelled', 'failed']).toContain((await field.ended(plan)).state)
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    expect(await closed()).toBe(0)
    const client = new Client(1_000_000)
    await expect.poll(() => client.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(20)
    await client.stop()
    await expect.poll(async () => (await rowsOfOne()).has(client.acknowledged.at(-1)!), { timeout: 60_000 }).toBe(true)
    const again = (await field.plan(two)) as Plan
    expect(again.remodels.map(({ id }) => id)).toEqual([])
  })

  test('while its link has stopped is refused with the number of rows that would be lost, and takes writes as before', async () => {
    const [two, one] = [field.document(`${cases}/1-two-nodes.yml`), field.document(`${cases}/2-one-node.yml`)]
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('gone', 'p', 1, async (session) => {
      await session.query('ALTER SUBSCRIPTION remodel_n2_n1 DISABLE')
    })
    await field.inDatabase('gone', 'q', 2, async (session) => {
      await session.query(`INSERT INTO item SELECT g, 'n2' FROM generate_series(2000001, 2000345) g`)
    })
    expect(await field.plan(one)).toMatchObject({
      state: 'refused',
      said: expect.stringMatching(/345 rows would be lost/),
    })
  })

  test('whose link stops only when the plan is drawn fails with the number, and takes writes as before', async () => {
    const [two, one] = [field.document(`${cases}/1-two-nodes.yml`), field.document(`${cases}/2-one-node.yml`)]
    expect(await field.deploy(two)).toMatchObject({ state: 'done', said: '' })
    const plan = (await field.plan(one)) as Plan
    // The same key on both: what n2 sends cannot be applied.
    await field.inDatabase('gone', 'q', 2, async (session) => {
      await session.query('ALTER SUBSCRIPTION remodel_n1_n2 DISABLE')
    })
    await field.inDatabase('gone', 'p', 1, async (session) => {
      await session.query(`INSERT INTO item VALUES (3000001, 'n1')`)
    })
    await field.inDatabase('gone', 'q', 2, async (session) => {
      await session.query(`INSERT INTO item SELECT g, 'n2' FROM generate_series(3000001, 3000010) g`)
    })
    const ended = await field.carryOut(plan)
    expect(ended).toMatchObject({ state: 'failed', said: expect.stringMatching(/n1 cannot apply .* 10 rows/) })
    const client = new Client(4_000_000)
    await expect.poll(() => client.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(0)
    await client.stop()
  })

  test('goes nevertheless where the loss is accepted, which the plan says first', async () => {
    const one = field.document(`${cases}/2-one-node.yml`)
    const { plan } = await field.client.plan({
      manifest: { name: 'case.yml', content: one },
      options: { acceptLoss: true },
    })
    expect(plan.consequences?.[0]).toMatch(/^node n2 goes with what only it has: .*rows would be lost/)
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
  })
})
