import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Connection, ProcessStatus } from '../../shared/provider/connection.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { machineForEachTest } from './machine.ts'
import type { Place } from './place.ts'

let place: Place
let machine: Connection
machineForEachTest((on) => {
  place = on.place
  machine = on.machine
})

const pidfile = '/var/vcap/sys/run/d.pid'
const daemon = {
  name: 'd',
  pidfile,
  start: `sleep 1000 & echo $! > ${pidfile}`,
  stop: `kill $(cat ${pidfile})`,
}

/** What a watch of the machine tells, and how it ended: `cancelled` where the watcher stopped it. */
async function watched() {
  const watcher = await new LocalProvider({ directory: place.provider.directory }).connect('w', null)
  const told: ProcessStatus[][] = []
  const stopping = new AbortController()
  const ended = watcher
    .watch((processes) => void told.push(processes), stopping.signal)
    .then(
      () => 'cancelled',
      (error) => error,
    )
  const states = () => told.map(([process]) => process?.state ?? 'none')
  return { told, states, ended, stop: () => stopping.abort() }
}

/** The process of the machine's agent, as this computer knows it. */
async function agentOf(): Promise<number> {
  return Number((await readFile(`${place.provider.directory}/vms/w/pid`, 'utf8')).split(' ')[0])
}

test('a watch shows how processes are, and each change of that, until it is stopped', async () => {
  const watch = await watched()
  await expect.poll(() => watch.told.length).toBe(1)
  await machine.supervise([daemon])
  await machine.start()
  await expect.poll(() => watch.states().at(-1)).toBe('running')
  const { pid } = watch.told.at(-1)![0]!
  await machine.exec(['kill', '-9', String(pid)])
  await expect.poll(() => watch.told.at(-1)?.[0]).toMatchObject({ state: 'running', restarts: 1 })
  expect(watch.told.at(-1)?.[0]?.pid).not.toBe(pid)
  const number = watch.told.length
  await sleep(1000)
  expect(watch.told.length, 'nothing changed').toBe(number)
  watch.stop()
  expect(await watch.ended).toBe('cancelled')
})

test('a process that keeps dying is shown as failing, and as running again when it stays up', async () => {
  const watch = await watched()
  const start = `test -e /tmp/sound && { sleep 1000 & echo $! > ${pidfile}; } || { sleep 0.1 & echo $! > ${pidfile}; }`
  await machine.supervise([{ ...daemon, start }])
  await machine.start()
  await expect.poll(() => watch.states().at(-1), { timeout: 5000 }).toBe('failing')
  await machine.write('/tmp/sound', '')
  await expect.poll(() => watch.states().at(-1), { timeout: 10_000 }).toBe('running')
  watch.stop()
  await watch.ended
})

test('a watch ends where a machine is frozen, after a silence longer than any before, and at once where it ends', async () => {
  const frozen = await watched()
  await expect.poll(() => frozen.told.length).toBe(1)
  const pid = await agentOf()
  const froze = performance.now()
  process.kill(pid, 'SIGSTOP')
  expect(await frozen.ended).toMatchObject({
    code: 'infrastructure',
    message: expect.stringContaining('does not answer'),
  })
  expect(performance.now() - froze).toBeGreaterThan(1000)
  process.kill(pid, 'SIGCONT')
  const killed = await watched()
  await expect.poll(() => killed.told.length).toBe(1)
  process.kill(pid, 'SIGKILL')
  expect(await killed.ended).toMatchObject({ code: 'infrastructure', details: { lost: 'w' } })
})
