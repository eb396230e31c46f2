import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StandingOrders } from '../../services/planner/planning/standing-orders.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { StandingOrder } from '../../shared/model/standing-order.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'

let folder: string
let blobs: DiskBlobstore
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-orders-'))
  blobs = await DiskBlobstore.open(folder)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const key = (byte: number) => new Secrets(Buffer.alloc(32, byte))
const order = (content: string): StandingOrder => ({
  manifest: { name: 'shop.yml', content },
  cloudConfigs: [],
  releases: [],
  options: { recreate: false, skipDrain: false },
  uploads: { releases: [{ name: 'nginx', version: '1' }], stemcells: [] },
})

/** Of a ledger that has recorded these blobs, the newest first. */
const ordersOf = (secrets: Secrets, ...recorded: string[]) => {
  const records = recorded.map((blob, i) => ({ version: recorded.length - i, blob, plan: `p${recorded.length - i}` }))
  return new StandingOrders({ orders: async () => records } as unknown as Ledger, blobs, secrets)
}

test('an order is read as it was put; no word of its document is legible on the disk', async () => {
  const [one, two] = [order('password: open sesame'), order('password: closed')]
  const orders = ordersOf(key(1))
  const [first, second] = [await orders.put('shop', one), await orders.put('shop', two)]
  expect(await orders.put('shop', one)).toBe(first)
  expect(await orders.put('other', one)).not.toBe(first)
  const known = ordersOf(key(1), second, first)
  expect((await known.read('shop', 1)).order).toEqual(one)
  expect(await known.read('shop')).toMatchObject({ version: 2, order: two })
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const bytes = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name))))
  expect(bytes.length).toBeGreaterThan(0)
  for (const one of bytes) expect(one.toString('latin1')).not.toMatch(/sesame|shop\.yml|nginx/)
})

test('what is not there, and what another home has encrypted, is said', async () => {
  await expect(ordersOf(key(1)).list('shop')).rejects.toMatchObject({ code: 'not-found' })
  const digest = await ordersOf(key(1)).put('shop', order('a'))
  await expect(ordersOf(key(1), digest).read('shop', 3)).rejects.toThrow(
    'version 3 of shop is not kept; versions 1 to 1 are',
  )
  await expect(ordersOf(key(2), digest).read('shop')).rejects.toThrow(/another secret\.key/)
})

test('a deployment goes back to the version before the newest whose plan ended well, one that is gone to the newest', async () => {
  const states: Record<string, string> = { p4: 'done', p3: 'failed', p2: 'done', p1: 'done' }
  const records = [4, 3, 2, 1].map((version) => ({ version, plan: `p${version}` }))
  let materials = ['instance/web/0']
  const ledger = {
    orders: async () => records,
    planRecord: async (_: string, plan: string) => ({ state: states[plan] }),
    floorplan: async () => ({ materials }),
  }
  const orders = new StandingOrders(ledger as unknown as Ledger, blobs, key(1))
  expect(await orders.before('web')).toBe(2)
  materials = []
  expect(await orders.before('web')).toBe(4)
  materials = ['instance/web/0']
  states.p1 = states.p2 = 'cancelled'
  await expect(orders.before('web')).rejects.toMatchObject({ code: 'conflict' })
})
