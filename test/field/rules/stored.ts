import assert from 'node:assert/strict'
import { Catalog } from '../../../services/planner/catalog/catalog.ts'
import { takeConfig } from '../../../services/planner/catalog/configs.ts'
import { jobId } from '../../../shared/queue/payloads.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { openKinds } from '../../support/kinds.ts'
import { startRedis } from '../../support/redis.ts'
import type { FieldCase } from '../field-case.ts'

/** Every file is no cloud config: it is refused with its place, and nothing is stored. */
export async function noCloudConfigs(given: FieldCase): Promise<void> {
  const server = await startRedis()
  const redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  try {
    const catalog = new Catalog(redis, { url: server.url, prefix: 'test' })
    const parts = { catalog, kinds: await openKinds() }
    for (const file of await given.files(/\.yml$/)) {
      await given.check(`${file} is refused, and nothing is stored`, async () => {
        const content = await given.text(file)
        const error = await takeConfig({ type: 'cloud', name: 'default', content }, parts).catch((thrown) => thrown)
        assert.ok(error instanceof RemodelError, error === undefined ? 'it is stored' : String(error))
        assert.ok(error.faults.length > 0, `no place: ${error.message}`)
        assert.deepEqual(await catalog.configs(), [])
      })
    }
  } finally {
    redis.disconnect()
    await server.stop()
  }
}

/** Ids that differ only in a letter that BullMQ does not allow are two jobs. */
export async function twoIdsTwoJobs(given: FieldCase): Promise<void> {
  await given.check('shop:1 and shop_1 are two jobs', async () => {
    assert.notEqual(jobId('deploy', 'shop:1'), jobId('deploy', 'shop_1'))
  })
}
