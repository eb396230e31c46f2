import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Connection, ProcessDefinition } from '../../shared/provider/connection.ts'
import { machineForEachTest } from './machine.ts'
import { fence, type Place, until } from './place.ts'

let place: Place
let machine: Connection
machineForEachTest((on) => {
  place = on.place
  machine = on.machine
})

function daemon(name: string, more: Partial<ProcessDefinition> = {}): ProcessDefinition {
  const pidfile = `/var/vcap/sys/run/${name}.pid`
  return { name, pidfile, start: `sleep 1000 & echo $! > ${pidfile}`, stop: `kill $(cat ${pidfile})`, ...more }
}

async function status(name = 'd') {
  return (await machine.status()).find((row) => row.name === name)!
}

async function shell(script: string): Promise<string> {
  return (await machine.exec(['sh', '-c', script])).stdout
}

describe('a supervised process', () => {
  it('is stopped until started, runs until stopped, and is gone then', async () => {
    await machine.supervise([daemon('d'), daemon('e')])
    expect(await machine.status()).toMatchObject([
      { name: 'd', state: 'stopped', pid: null, uptimeMs: 0 },
      { name: 'e', state: 'stopped', pid: null, uptimeMs: 0 },
    ])
    await machine.start()
    await until(async () => (await machine.status()).every((row) => row.state === 'running'))
    const { pid } = await status()
    // The shell that names it has forked by then, and runs the program a moment later.
    await expect.poll(() => shell(`cat /proc/${pid}/comm`)).toBe('sleep\n')
    expect(await machine.stop(5000)).toBe('ended')
    expect((await machine.status()).map((row) => row.state)).toEqual(['stopped', 'stopped'])
    expect(await shell('pgrep sleep')).toBe('')
  })

  it('that dies is seen and started again, once', async () => {
    await machine.supervise([daemon('d')])
    await machine.start()
    await until(async () => (await status()).state === 'running')
    const { pid } = await status()
    await shell(`kill -9 ${pid}`)
    await until(async () => (await status()).pid !== pid)
    await until(async () => (await status()).state === 'running')
    expect(await status()).toMatchObject({ restarts: 1, state: 'running' })
    expect((await status()).pid).not.toBe(pid)
    await sleep(50)
    expect((await status()).uptimeMs).toBeGreaterThanOrEqual(50)
  })

  it('that keeps dying is failing, is tried ever more slowly, and is running when it stays up', async () => {
    const pidfile = '/var/vcap/sys/run/d.pid'
    const start = `read up _ < /proc/uptime; echo $up >> /tmp/starts
      if [ -e /tmp/well ]; then sleep 1000 & else sleep 0.1 & fi; echo $! > ${pidfile}`
    // Where its end comes before the first look at it, that start counts as failed after this time.
    await machine.supervise([daemon('d', { start, startTimeoutSeconds: 1 })])
    await machine.start()
    await until(async () => (await status()).state === 'failing')
    const starts = async () => (await shell('cat /tmp/starts')).trim().split('\n').map(Number)
    await until(async () => (await starts()).length > 4)
    const at = await starts()
    const pausesMs = [50, 100, 200, 400]
    for (const [i, ms] of pausesMs.entries()) expect((at[i + 1]! - at[i]!) * 1000).toBeGreaterThanOrEqual(ms)
    await machine.write('/tmp/well', '')
    // Up, but not for two seconds yet: it is not believed before.
    const young: string[] = []
    await until(async () => {
      const { state, pid, uptimeMs } = await status()
      if (pid !== null && uptimeMs < 1900) young.push(state)
      return state === 'running'
    })
    expect(young).not.toContain('running')
  })

  it('that kept dying and is up is judged anew when a start is asked for', async () => {
    const pidfile = '/var/vcap/sys/run/e.pid'
    const start = `if [ -e /tmp/mended ]; then sleep 1000 & else sleep 0.02 & fi; echo $! > ${pidfile}`
    await machine.supervise([daemon('e', { start, startTimeoutSeconds: 1 })])
    await machine.start()
    await until(async () => (await status('e')).state === 'failing')
    await machine.write('/tmp/mended', '')
    // One that was begun before ends soon.
    await until(async () => (await status('e')).uptimeMs > 200)
    const { state, uptimeMs } = await status('e')
    expect(state).toBe(uptimeMs < 2000 ? 'failing' : 'running')
    await machine.start()
    expect((await status('e')).state).toBe('running')
  })

  it('whose start fails, or brings nothing up in time, is failing', async () => {
    await machine.supervise([
      daemon('d', { start: 'echo no such thing >&2; exit 3' }),
      daemon('late', { start: 'true', startTimeoutSeconds: 1 }),
      daemon('hangs', { start: 'sleep 1000', startTimeoutSeconds: 1 }),
    ])
    const start = performance.now()
    await machine.start()
    expect(performance.now() - start).toBeGreaterThan(900)
    expect((await status('d')).state).toBe('failing')
    await until(async () => (await machine.status()).every((row) => row.state === 'failing'))
    expect(String(await machine.read('/var/vcap/monit/d.log'))).toContain('no such thing')
  })

  it('that ignores its stop command is killed with all below it at the deadline', async () => {
    const pidfile = '/var/vcap/sys/run/d.pid'
    const stubborn = 'trap "" TERM; sleep 999 & sleep 998 & while :; do wait; sleep 0.1; done'
    await machine.write('/var/vcap/jobs/stubborn', stubborn, 0o755)
    await machine.supervise([
      daemon('d', { start: `setsid sh /var/vcap/jobs/stubborn & echo $! > ${pidfile}` }),
      daemon('e', { stop: 'sleep 1000' }),
    ])
    await machine.start()
    await until(async () => (await machine.status()).every((row) => row.state === 'running'))
    expect(await machine.stop(300)).toBe('killed')
    expect((await machine.status()).map((row) => row.state)).toEqual(['stopped', 'stopped'])
    expect(await shell('pgrep -l sleep')).toBe('')
    // Another try finds nothing to stop, and still no end in order.
    expect(await machine.stop(300)).toBe('killed')
    await machine.supervise([daemon('d'), daemon('e')])
    await machine.start()
    await until(async () => (await machine.status()).every((row) => row.state === 'running'))
    expect(await machine.stop(5000)).toBe('ended')
  })

  it.each(['/var/vcap/jobs/d/bin/ctl stop', '/etc/passwd stop'])(
    'whose stop command cannot be run (%s) is ended by a signal, not at the deadline',
    async (stop) => {
      await machine.supervise([daemon('d', { stop })])
      await machine.start()
      await until(async () => (await status()).state === 'running')
      expect(await machine.stop(300_000)).toBe('ended')
      expect(await shell('pgrep -l sleep')).toBe('')
      expect(String(await machine.read('/var/vcap/monit/d.log'))).toMatch(/not found|denied/)
    },
  )

  it('that stays in the set is left alone; one that leaves it is stopped', async () => {
    await machine.supervise([daemon('d'), daemon('e')])
    await machine.start()
    await until(async () => (await machine.status()).every((row) => row.state === 'running'))
    const before = await status('d')
    await machine.supervise([daemon('d', { start: 'false' }), daemon('f')])
    expect((await machine.status()).map((row) => [row.name, row.state])).toEqual([
      ['d', 'running'],
      ['f', 'stopped'],
    ])
    expect((await status('d')).pid).toBe(before.pid)
    expect(await shell('pgrep -c sleep')).toBe('1\n')
  })

  it('that replaces itself and rewrites its pidfile is followed, not started again', async () => {
    await machine.supervise([daemon('d')])
    await machine.start()
    await until(async () => (await status()).state === 'running')
    const { pid } = await status()
    await shell(`setsid sleep 1001 >/dev/null 2>&1 & echo $! > /var/vcap/sys/run/d.pid; kill ${pid}`)
    await until(async () => (await status()).pid !== pid)
    expect(await status()).toMatchObject({ state: 'running', restarts: 0 })
  })

  it('goes on when the client that started it is gone', async () => {
    await machine.supervise([daemon('d')])
    await machine.start()
    machine.close()
    machine = await place.provider.connect('w', fence(1))
    await until(async () => (await status()).state === 'running')
  })

  it('is started where its pidfile, older than itself, names the process of another', async () => {
    const pidfile = '/var/vcap/sys/run/d.pid'
    await shell(`sleep 1001 </dev/null >/dev/null 2>&1 & echo $! > ${pidfile}`)
    // Takes a live process for its own, as many start scripts do.
    const start = `[ -e ${pidfile} ] && kill -0 $(cat ${pidfile}) && exit 0; sleep 1000 & echo $! > ${pidfile}`
    await machine.supervise([daemon('d', { start })])
    await machine.start()
    await until(async () => (await status()).state === 'running')
    const { pid } = await status()
    await expect.poll(() => shell(`tr '\\0' ' ' < /proc/${pid}/cmdline`)).toBe('sleep 1000 ')
    await machine.stop(5000)
    expect(await shell('pgrep -f "sleep 1001"')).not.toBe('')
  })

  it('is followed where it was started by another, after it was first supervised', async () => {
    await machine.supervise([daemon('d', { start: 'exit 1' })])
    await shell('sleep 1001 </dev/null >/dev/null 2>&1 & echo $! > /var/vcap/sys/run/d.pid')
    await machine.start()
    await until(async () => (await status()).state === 'running')
  })
})
