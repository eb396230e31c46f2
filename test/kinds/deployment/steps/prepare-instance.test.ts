import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StepContext } from '../../../../kinds/contract/step.ts'
import prepareInstance from '../../../../kinds/deployment/steps/prepare-instance.ts'
import { DiskBlobstore } from '../../../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../../../shared/compilation/compiled.ts'
import { CompileRequests } from '../../../../shared/compilation/requests.ts'
import { connectRedis } from '../../../../shared/runtime/redis.ts'
import { Secrets } from '../../../../shared/runtime/secrets.ts'
import { fence, Place } from '../../../provider/place.ts'
import { startRedis, type TestRedis } from '../../../support/redis.ts'

let place: Place
let server: TestRedis

beforeEach(async () => {
  place = await Place.make()
  server = await startRedis()
})

afterEach(async () => {
  await server.stop()
  await place.leave()
})

// What a failure leaves running fails later, with no caller to hear of it: that ends a process, and fails this file.
test('a package that is not compiled fails the attempt before another one is unpacked', async () => {
  const settings = { url: server.url, prefix: 'prepare' }
  const redis = connectRedis(settings, 'service')
  const blobs = await DiskBlobstore.open(join(place.directory, 'blobs'))
  const { digest, size } = await blobs.put(Buffer.from('an archive'))
  await new CompileRequests(redis, settings).recordAgain({ key: 'there', digest, size, durationMs: 1, compiledAt: 1 })
  await place.provider.createVm(place.request('w'), fence(1))
  const context: StepContext = {
    plan: 'p',
    provider: place.provider,
    blobs,
    compiled: new RedisCompiledIndex(redis, settings),
    stores: { redis, settings, blobs },
    secrets: await Secrets.open(place.directory),
    material: 'instance/app/0',
    actual: async () => null,
    fence: fence(1),
    signal: new AbortController().signal,
    pointOfNoReturn: async () => {},
    log: pino({ level: 'silent' }),
    say: () => {},
  }
  const packages = ['there', 'absent'].map((key) => ({ name: key, key }))
  await expect(prepareInstance.apply(context, { vm: 'w', packages, jobs: [], addresses: null })).rejects.toMatchObject({
    code: 'infrastructure',
    message: 'package absent is not compiled (absent)',
  })
  const machine = await place.provider.connect('w', null)
  expect((await machine.exec(['ls', '-A', '/var/vcap/data/packages'])).stdout).toBe('')
  machine.close()
  redis.disconnect()
})
