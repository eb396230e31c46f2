import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inspector } from '../../../kinds/deployment/inspection/inspector.ts'
import { architect } from '../../../kinds/deployment/plan/architect.ts'
import { health } from '../../../kinds/deployment/plan/observations.ts'
import { DiskBlobstore } from '../../../shared/blobstore/disk.ts'
import { compiledKey, RedisCompiledIndex } from '../../../shared/compilation/compiled.ts'
import { RedisDurations } from '../../../shared/compilation/durations.ts'
import type { ActualMaterial, Floorplan } from '../../../shared/model/material.ts'
import { observed } from '../../../shared/model/observation.ts'
import { fence, Place, until } from '../../provider/place.ts'
import { startRedis, type TestRedis } from '../../support/redis.ts'
import { document } from './planning.ts'
import { given, manifestText } from './shop.ts'

let place: Place
let server: TestRedis
let redis: Redis
const settings = { url: '', prefix: 'test' }
const blueprint = architect(document('shop.yml', manifestText), given())

beforeEach(async () => {
  place = await Place.make()
  server = await startRedis()
  redis = new Redis(server.url)
})
afterEach(async () => {
  redis.disconnect()
  await server.stop()
  await place.leave()
})

/** A machine of the deployment, as the step that makes one would. */
async function machine(cid: string, purpose: string, stored?: object): Promise<void> {
  const ownership = { owner: 'deployment/shop', purpose, ...(stored ? { vm: JSON.stringify(stored) } : {}) }
  await place.provider.createVm(place.request(cid, { ownership }), fence(1))
}

const vm = (purpose: string) => ({ purpose, az: 'z1', stemcell: 'jammy/1.2', hardware: 'sha256:h', networks: [] })

function instance(slot: string, cid: string): ActualMaterial[] {
  const attributes = { az: 'z1', networks: [], jobs: {}, packages: {}, configuration: {}, state: 'started' }
  return [
    { id: `instance/${slot}`, attributes, needs: [], meta: { vm: cid } },
    { id: `vm/${cid}`, attributes: vm(`instance/${slot}`), needs: [], meta: {} },
  ]
}

async function inspect(materials: ActualMaterial[]) {
  const recorded: Floorplan = { deployment: 'shop', version: 3, materials }
  const compiled = new RedisCompiledIndex(redis, settings)
  const durations = new RedisDurations(redis, settings)
  const stores = { redis, settings, blobs: await DiskBlobstore.open(place.directory) }
  const world = { recorded, provider: place.provider, compiled, durations, stores, observer: 'planner-1' }
  const found = await inspector(blueprint, world)
  const byId = new Map(found.materials.map((material) => [material.id, material]))
  return { byId, healths: observed(found.observations, health) }
}

test('machines that run, whose processes died, that are frozen and that are gone are distinguished', async () => {
  for (const name of ['well', 'ill', 'frozen']) await machine(name, `instance/web/${name}`)
  const connection = await place.provider.connect('ill', fence(1))
  await connection.supervise([{ name: 'd', pidfile: '/var/vcap/sys/run/d.pid', start: 'exit 1', stop: 'true' }])
  await connection.start()
  await until(async () => (await connection.status())[0]?.state === 'failing')
  connection.close()
  const pid = Number(readFileSync(join(place.directory, 'vms', 'frozen', 'pid'), 'utf8').split(' ')[0])
  process.kill(pid, 'SIGSTOP')
  try {
    const recorded = ['well', 'ill', 'frozen', 'gone'].flatMap((name, index) => instance(`web/${index}`, name))
    const found = async () => {
      const { healths } = await inspect(recorded)
      return [...[0, 1, 2, 3].map((index) => `instance/web/${index}`), 'vm/gone'].map((id) => healths.get(id))
    }
    // One that has no time to answer looks as a frozen one does, until the next look.
    await expect.poll(found).toEqual(['running', 'failing', 'unresponsive', 'missing', 'missing'])
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})

test('a machine and a disk that are not recorded are found by their owner, with their purpose', async () => {
  await machine('spare', 'instance/web/1', vm('instance/web/1'))
  await machine('strange', 'instance/web/2')
  await place.provider.createVm(
    place.request('other', { ownership: { owner: 'deployment/other', purpose: 'instance/x/0' } }),
    fence(1),
  )
  for (const id of ['disk-a', 'disk-b']) {
    await place.provider.createDisk(
      { id, sizeMiB: 64, ownership: { owner: 'deployment/shop', purpose: 'disk/db/0' } },
      fence(1),
    )
  }
  const { byId, healths } = await inspect([])
  expect(healths.get('vm/spare')).toBe('running')
  expect(byId.get('vm/spare')).toEqual({
    id: 'vm/spare',
    attributes: vm('instance/web/1'),
    needs: [],
    meta: { orphan: true },
  })
  expect(byId.get('vm/strange')?.attributes).toMatchObject({ purpose: 'instance/web/2', hardware: '' })
  expect(byId.has('vm/other')).toBe(false)
  expect(byId.get('disk/db/0')).toMatchObject({ attributes: { sizeMiB: 64 }, meta: { cid: 'disk-a', orphan: true } })
  // The slot has one already: it is named by itself.
  expect(byId.get('disk/disk-b')).toMatchObject({ meta: { cid: 'disk-b', orphan: true } })
})

test('a disk that no record names takes the place of a recorded one that is gone; of two, the one that hangs on a machine', async () => {
  const made = { sizeMiB: 64, ownership: { owner: 'deployment/shop', purpose: 'disk/db/0' } }
  for (const id of ['disk-a', 'disk-b']) await place.provider.createDisk({ id, ...made }, fence(1))
  await machine('db', 'instance/db/0')
  await place.provider.attachDisk('db', 'disk-b', fence(1))
  const gone = { id: 'disk/db/0', attributes: { sizeMiB: 64, type: null }, needs: [], meta: { cid: 'lost' } }
  const { byId } = await inspect([gone])
  expect(byId.get('disk/db/0')?.meta).toEqual({ cid: 'disk-b', orphan: true })
  expect(byId.get('disk/disk-a')?.meta).toEqual({ cid: 'disk-a', orphan: true })
})

test('a recorded disk that is gone is observed to be missing, of one that is there nothing is', async () => {
  await place.provider.createDisk(
    { id: 'here', sizeMiB: 64, ownership: { owner: 'deployment/shop', purpose: 'disk/db/0' } },
    fence(1),
  )
  const disk = (slot: string, cid: string) => ({
    id: `disk/${slot}`,
    attributes: { sizeMiB: 64, type: null },
    needs: [],
    meta: { cid },
  })
  const { byId, healths } = await inspect([disk('db/0', 'here'), disk('db/1', 'lost')])
  expect([byId.get('disk/db/0')?.meta, byId.get('disk/db/1')?.meta]).toEqual([{ cid: 'here' }, { cid: 'lost' }])
  expect([healths.get('disk/db/0'), healths.get('disk/db/1')]).toEqual([undefined, 'missing'])
})

test('packages of the blueprint that are compiled stand, others do not', async () => {
  const [first, second] = blueprint.materials.filter((material) => material.id.startsWith('package/'))
  await redis.hset(compiledKey(settings), String(first?.attributes.key), JSON.stringify({ key: first?.attributes.key }))
  const { byId } = await inspect([])
  expect([byId.has(first?.id ?? ''), byId.has(second?.id ?? '')]).toEqual([true, false])
})
