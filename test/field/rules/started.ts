import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { remodel } from '../../cli/remodel.ts'
import { startRedis } from '../../support/redis.ts'
import type { FieldCase } from '../field-case.ts'

/** What `up` must come to. */

/** A Redis that shows no settings is refused with the switch that takes it; with the switch Remodel runs. */
export async function redisWithoutConfig(given: FieldCase): Promise<void> {
  await given.check('a user without the right to CONFIG', async () => {
    const server = await startRedis()
    const redis = connectRedis({ url: server.url, prefix: '' }, 'service')
    try {
      await redis.call('ACL', 'SETUSER', 'r', 'on', '>pw', '~*', '&*', '+@all', '-config')
      await refusedUnlessAccepted(server.url.replace('//', '//r:pw@'))
    } finally {
      redis.disconnect()
      await server.stop()
    }
  })
  await given.check('a server without CONFIG', async () => {
    const server = await startRedis(['--rename-command', 'CONFIG', ''])
    try {
      await refusedUnlessAccepted(server.url)
    } finally {
      await server.stop()
    }
  })
}

async function refusedUnlessAccepted(url: string): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'remodel-field-'))
  try {
    const up = ['up', '--detach', '--port', '0', '--compilers', '1', '--assemblers', '1']
    const env = { REDIS_URL: url, REMODEL_HOME: home }
    const refused = await remodel(up, { env: { ...env, REMODEL_ALLOW_WEAK_REDIS: '' } })
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /does not show maxmemory-policy.*REMODEL_ALLOW_WEAK_REDIS=1/)
    const taken = await remodel(up, { env: { ...env, REMODEL_ALLOW_WEAK_REDIS: '1' } })
    assert.equal(taken.code, 0, taken.stderr)
  } finally {
    await remodel(['down'], { env: { REMODEL_HOME: home } })
    await rm(home, { recursive: true, force: true })
  }
}
