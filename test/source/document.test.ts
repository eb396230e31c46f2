import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { SourceDocument } from '../../shared/source/document.ts'
import { longestDocument, readDocument } from '../../shared/source/reading.ts'

const Shape = z.strictObject({ name: z.string(), size: z.number(), kind: z.enum(['small', 'large']) })

function faultsOf(text: string) {
  try {
    new SourceDocument('a.yml', text).parse(Shape)
    return []
  } catch (error) {
    if (!(error instanceof RemodelError)) throw error
    return error.faults
  }
}

test('every fault of a file is reported at once, with its line, what was found and the nearest valid name', () => {
  expect(faultsOf('name: web\nsize: many\nkind: lage\nsiz: 3\n')).toEqual([
    expect.objectContaining({ file: 'a.yml', line: 2, path: 'size', found: '"many"', allowed: 'a number' }),
    expect.objectContaining({ line: 3, path: 'kind', found: '"lage"', suggestion: 'large' }),
    expect.objectContaining({ line: 4, path: 'siz', message: 'unknown key "siz"', suggestion: 'size' }),
  ])
})

test('a text that is no YAML is refused with the line', () => {
  expect(() => new SourceDocument('a.yml', 'name: web\nsize: [1\n')).toThrow(
    expect.objectContaining({ code: 'invalid-input', faults: [expect.objectContaining({ file: 'a.yml', line: 3 })] }),
  )
})

test('what is right is no fault', () => {
  expect(faultsOf('name: web\nsize: 3\nkind: small\n')).toEqual([])
})

describe('a large document', () => {
  test('of forty thousand keys is read without holding up its thread', async () => {
    const text = Array.from({ length: 40_000 }, (_, i) => `key${i}: value`).join('\n')
    let turns = 0
    const counted = setInterval(() => turns++, 1)
    const document = await readDocument('a.yml', text)
    clearInterval(counted)
    expect(Object.keys(document.value as object)).toHaveLength(40_000)
    expect(document.locate(['key39999'])).toEqual({ line: 40_000, column: 1 })
    expect(turns).toBeGreaterThan(10)
  })

  test('longer than the limit is refused before it is read', async () => {
    await expect(readDocument('a.yml', ' '.repeat(longestDocument + 1))).rejects.toMatchObject({
      code: 'invalid-input',
      faults: [{ file: 'a.yml', allowed: '8 million' }],
    })
  })

  test('with a fault in the text is refused with the line, as a small one is', async () => {
    const text = `${Array.from({ length: 20_000 }, (_, i) => `key${i}: value`).join('\n')}\nkey7: again\n`
    await expect(readDocument('a.yml', text)).rejects.toMatchObject({
      code: 'invalid-input',
      faults: [{ file: 'a.yml', line: 20_001, message: 'the key "key7" is there already, in line 8' }],
    })
  })

  test('with a fault at each key is refused with the first hundred and the number of all', () => {
    const text = Array.from({ length: 5_000 }, (_, i) => `key${i}: value`).join('\n')
    const refused = () => new SourceDocument('a.yml', text).parse(Shape)
    expect(refused).toThrow('5003 faults in a.yml, of which the first 100 follow; nothing was changed')
    expect(faultsOf(text)).toHaveLength(100)
  })
})

test('a key that is there twice is a fault, several merges are not', () => {
  expect(faultsOf('name: web\nname: web\nsize: 3\nkind: small\n')).toEqual([
    { file: 'a.yml', line: 2, column: 1, message: 'the key "name" is there already, in line 1' },
  ])
  expect(faultsOf('<<: {name: web, size: 3}\n<<: {kind: small}\n')).toEqual([])
})

test('aliases that stand for too much are a fault, not a failure', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
  for (const [one, next] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'] as unknown as [string, string][])
    bomb.push(`${next}: &${next} [*${one}, *${one}, *${one}, *${one}, *${one}, *${one}, *${one}, *${one}, *${one}]`)
  expect(faultsOf(bomb.join('\n'))).toEqual([
    expect.objectContaining({ file: 'a.yml', message: expect.stringContaining('aliases') }),
  ])
})
