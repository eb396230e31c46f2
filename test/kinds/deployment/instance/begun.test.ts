import { beforeEach, describe, expect, test } from 'vitest'
import { begunFor, noteBegun } from '../../../../kinds/contract/begun.ts'
import { watchUntilHealthy } from '../../../../kinds/deployment/instance/watch.ts'
import type { Connection } from '../../../../shared/provider/connection.ts'
import { machineForEachTest } from '../../../provider/machine.ts'

const never = new AbortController().signal
let machine: Connection
machineForEachTest((on) => {
  machine = on.machine
})

describe('what an attempt has begun on a machine', () => {
  const path = '/var/vcap/instance/started'
  const begun = { plan: 'p1', what: 'it' }

  test('was not begun before, and goes on for the same plan only', async () => {
    expect(await begunFor(machine, path, begun)).toBeNull()
    await noteBegun(machine, path, begun)
    expect(await begunFor(machine, path, begun)).toBeGreaterThanOrEqual(0)
    expect(await begunFor(machine, path, { ...begun, plan: 'p2' })).toBeNull()
    expect(await begunFor(machine, path, { ...begun, what: 'another' })).toBeNull()
  })

  test('goes on by the clock of the machine', async () => {
    await noteBegun(machine, path, begun)
    const since = (seconds: string) => machine.exec(['/bin/sh', '-euc', `{ echo 'p1 it'; echo ${seconds}; } >${path}`])
    await since('0.00')
    const [up] = (await machine.read('/proc/uptime')).toString().split(' ')
    expect(await begunFor(machine, path, begun)).toBeGreaterThanOrEqual(Number(up) * 1000)
    // Its host was started again since.
    await since('99999999999.00')
    expect(await begunFor(machine, path, begun)).toBeNull()
  })
})

describe('processes that are watched', () => {
  const hour = 3600_000
  const watch = { minMs: hour, maxMs: 2 * hour, checks: [], startedMs: 0 }

  beforeEach(async () => {
    const pidfile = '/var/vcap/sys/run/app.pid'
    await machine.supervise([{ name: 'app', pidfile, start: `sleep 100000 & echo $! > ${pidfile}`, stop: 'true' }])
    await machine.start()
  })

  test('are left to themselves after a moment, and looked at again before long', async () => {
    const afterMs = await watchUntilHealthy(machine, watch, never)
    expect(afterMs).toBeGreaterThan(0)
    expect(afterMs).toBeLessThanOrEqual(5000)
  })

  test('are late by the time since they were started, not by that of one look', async () => {
    await expect(watchUntilHealthy(machine, { ...watch, startedMs: 3 * hour }, never)).rejects.toMatchObject({
      code: 'job-failed',
      message: expect.stringMatching(/^not healthy after 7200 s: app/),
    })
  })

  test('are healthy as soon as they have been up for long enough', async () => {
    await expect.poll(async () => (await machine.status())[0]?.state, { timeout: 60_000 }).toBe('running')
    expect(await watchUntilHealthy(machine, { ...watch, minMs: 1 }, never)).toBeNull()
  })
})
