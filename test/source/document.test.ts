import { expect, test } from 'vitest'
import { z } from 'zod'
import { RemodelError } from '../../shared/errors.ts'
import { SourceDocument } from '../../shared/source/document.ts'

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

test('every fault of a file is told at once, with its line, what was found and the nearest valid name', () => {
  expect(faultsOf('name: web\nsize: many\nkind: lage\nsiz: 3\n')).toEqual([
    expect.objectContaining({ file: 'a.yml', line: 2, path: 'size', found: '"many"', allowed: 'number' }),
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
