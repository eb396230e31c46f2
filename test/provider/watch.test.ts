import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { machineForEachTest } from './machine.ts'
import type { Place } from './place.ts'

let place: Place
machineForEachTest((on) => {
  place = on.place
})

/** A watch of the machine, and how it ended: `cancelled` where the watcher stopped it. */
async function watched() {
  const watcher = await place.provider.connect('w', null)
  const stopping = new AbortController()
  const ended = watcher.watch(stopping.signal).then(
    () => 'cancelled',
    (error) => error,
  )
  return { ended, stop: () => stopping.abort() }
}

async function signal(name: NodeJS.Signals): Promise<void> {
  const text = await readFile(`${place.provider.directory}/vms/w/pid`, 'utf8')
  process.kill(Number(text.split(' ')[0]), name)
}

test('a machine that is well is watched until the watcher has enough', async () => {
  const watch = await watched()
  expect(await Promise.race([watch.ended, sleep(3000, 'goes on')])).toBe('goes on')
  watch.stop()
  expect(await watch.ended).toBe('cancelled')
})

test('a watch ends at once where its machine ends, and says so', async () => {
  const watch = await watched()
  await signal('SIGKILL')
  expect(await watch.ended).toMatchObject({ code: 'infrastructure', details: { lost: 'w' } })
})

test('a watch ends where its machine is frozen, after a while', async () => {
  const watch = await watched()
  const froze = performance.now()
  await signal('SIGSTOP')
  expect(await watch.ended).toMatchObject({
    code: 'infrastructure',
    message: expect.stringContaining('does not answer'),
  })
  expect(performance.now() - froze).toBeGreaterThan(1000)
  await signal('SIGCONT')
})
