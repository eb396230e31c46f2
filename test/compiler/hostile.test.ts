import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { hostileScripts } from './hostile/scripts.ts'
import { type Cleaning, Workbench } from './hostile/workbench.ts'

const seed = randomInt(2 ** 31)

async function differing(cleaning: Cleaning, pairs: number): Promise<string[]> {
  const bench = await Workbench.open(cleaning)
  const found: string[] = []
  try {
    for (const hostile of hostileScripts(seed, pairs)) {
      const { leaves, differs } = await bench.pair(hostile)
      if (differs.length > 0) found.push(`seed ${seed}: ${leaves.join('; ')}: ${differs.join('; ')}`)
    }
  } finally {
    await bench.close()
  }
  return found
}

test('a package that is compiled after a hostile one on the same machine comes out byte for byte as on a new machine', async () => {
  expect(await differing('renewal', 6)).toEqual([])
}, 120_000)

test('control: where a list of paths is emptied instead, it comes out otherwise', async () => {
  expect(await differing('a list of paths', 3)).not.toEqual([])
}, 120_000)
