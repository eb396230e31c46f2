import { pino } from 'pino'
import { expect, test } from 'vitest'
import { DiskWatch } from '../shared/runtime/disk-space.ts'

const mib = 2 ** 20

test('a disk that gets full is reported when little is left, and again at each halving, until there is room', async () => {
  const said: string[] = []
  const log = pino({}, { write: (line: string) => said.push(JSON.parse(line).msg) })
  let free = 5000 * mib
  const disk = new DiskWatch('/srv', log, async () => free)
  for (const mibs of [5000, 1000, 900, 501, 500, 400, 250, 3000, 900]) {
    free = mibs * mib
    await disk.look()
    expect(disk.warning === undefined).toBe(mibs >= 1024)
  }
  expect(said.map((line) => Number(line.match(/has (\d+) MiB left/)?.[1]))).toEqual([1000, 500, 250, 900])
})
