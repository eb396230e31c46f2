import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

/** Real processes: a frozen assembler, a forced unlock, another assembler, and the first one wakes up. */

let stack: TestStack
let client: Client
const options = { name: 'late', net: 66, instances: 1, front: true }

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack.stop())

async function inMachine(vm: string, ...argv: string[]): Promise<string> {
  const machine = await stack.provider.connect(vm, null)
  try {
    return (await machine.exec(argv)).stdout
  } finally {
    machine.close()
  }
}

test.for(['pre-start', 'drain'] as const)(
  'an assembler that was frozen in a %s changes nothing when it wakes up after a forced unlock and another deploy',
  { timeout: 120_000 },
  async (late) => {
    expect((await deploySmall(client, { ...options, late })).ended).toBe('done')
    const app = (await client.instances('late')).find(({ instance }) => instance === 'app/0')!.vm!
    await inMachine(app, 'sh', '-c', 'rm -f /var/vcap/begun /var/vcap/late*')
    const { plan } = await planSmall(client, { ...options, late, greeting: 'again' })
    await client.apply(plan.id, {})
    await expect.poll(() => inMachine(app, 'ls', '/var/vcap'), { timeout: 30_000, interval: 50 }).toContain('begun')
    const frozen = stack.services.find(({ name, process }) => name === 'assembler' && process.exitCode === null)!
    frozen.process.kill('SIGSTOP')
    const [lock] = await client.locks()
    await client.unlock(lock!.id)
    await stack.start('assembler')
    const other = await deploySmall(client, { ...options, late, front: false })
    expect(other.ended).toBe('done')
    frozen.process.kill('SIGCONT')
    await sleep(6000)
    // A drain is that of the job that stands, a pre-start that of the job that comes.
    expect(await inMachine(app, 'ls', '/var/vcap')).not.toContain(late === 'drain' ? 'late-hello' : 'late-again')
    await frozen.kill('SIGKILL')
    expect(await removeSmall(client, 'late')).toBe('done')
  },
)
