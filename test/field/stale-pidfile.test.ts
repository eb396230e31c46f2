import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../support/services.ts'
import { fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const stale = fieldCase('B05')

describe.skipIf(!stale)('a pidfile on a persistent disk, older than its machine,', () => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await startServices()
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
  })
  afterAll(() => stack?.stop())

  test('names no process: what it belongs to is started, and the process that has its number now is left alone', async () => {
    const client = stack.client()
    const field = await FieldDeploys.open(client, stale!)
    const shell = async (script: string) =>
      (await client.exec('stale', 'web/0', { argv: ['/bin/bash', '-c', script] })).stdout.trim()
    const pidfile = '/var/vcap/store/keeper/keeper.pid'
    expect(await field.deploy('1-keeper.yml')).toBe('done')
    // A higher number, as the keeper is started again after others.
    const first = await shell(`cat ${pidfile}`)
    await shell(`for i in $(seq 50); do /bin/true; done; kill ${first}`)
    for (let named = first; named === first || named === ''; ) named = await shell(`cat ${pidfile}`)
    const [instance] = await client.instances('stale')
    const init = await readFile(join(stack.home, 'machines/vms', instance!.vm!, 'pid'), 'utf8')
    process.kill(Number.parseInt(init, 10), 'SIGKILL')
    expect(await field.deploy('2-with-crowd.yml')).toBe('done')
    expect(await shell(`tr '\\0' ' ' < /proc/$(cat ${pidfile})/cmdline`)).toBe('sleep 86400')
    expect(await shell('pgrep -fc "sleep 7200"')).toBe('80')
  }, 200_000)
})
