import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ReplacedFiles } from '../../shared/provider/local/replaced-files.ts'

let folder: string
let reads: string[]
let files: ReplacedFiles<string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-replaced-'))
  reads = []
  files = new ReplacedFiles(async (path) => {
    reads.push(path)
    return readFile(path, 'utf8').catch(() => undefined)
  })
})

afterEach(() => rm(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
async function put(name: string, content: string): Promise<void> {
  await writeFile(at('beside'), content)
  await rename(at('beside'), at(name))
}

test('of a thousand files only what is new is read, each time', async () => {
  const names = Array.from({ length: 1000 }, (_, i) => `f${i}`)
  for (const name of names) await writeFile(at(name), name)
  expect(await files.all(names.map(at))).toEqual(names)
  expect(reads).toHaveLength(1000)
  await put('new', 'new')
  expect(await files.all([...names, 'new'].map(at))).toEqual([...names, 'new'])
  expect(reads).toHaveLength(1001)
  expect(reads.at(-1)).toBe(at('new'))
})

test('what was replaced by something as long, or taken away and made again, is read again', async () => {
  await put('a', 'one')
  await put('b', 'one')
  expect(await files.all([at('a'), at('b')])).toEqual(['one', 'one'])
  await put('a', 'two')
  await rm(at('b'))
  expect(await files.all([at('a'), at('b')])).toEqual(['two', undefined])
  await put('b', 'six')
  expect(await files.all([at('a'), at('b')])).toEqual(['two', 'six'])
})

test('what is not asked for any more is not remembered', async () => {
  await put('a', 'one')
  await put('b', 'one')
  await files.all([at('a'), at('b')])
  await files.all([at('a')])
  await files.all([at('a'), at('b')])
  expect(reads).toEqual([at('a'), at('b'), at('b')])
})

describe('a list of files', () => {
  const listed = async (stamp: string | undefined, ...names: string[]) => files.listed(stamp, async () => names.map(at))

  test('that is as it was is not looked at, and is looked at again when it is another one', async () => {
    await put('a', 'one')
    expect(await listed('1', 'a')).toEqual(['one'])
    await put('a', 'two')
    expect(await listed('1', 'a')).toEqual(['one'])
    expect(await listed('2', 'a')).toEqual(['two'])
    await put('a', 'six')
    expect(await listed(undefined, 'a')).toEqual(['six'])
    expect(reads).toHaveLength(3)
  })

  test('with a file that is not there yet is looked at until it is there', async () => {
    await put('a', 'one')
    expect(await listed('1', 'a', 'b')).toEqual(['one'])
    await put('b', 'two')
    expect(await listed('1', 'a', 'b')).toEqual(['one', 'two'])
  })
})
