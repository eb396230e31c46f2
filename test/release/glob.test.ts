import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compileGlob } from '../../shared/release/glob.ts'

function matches(pattern: string, path: string, dangling = false): boolean {
  const glob = compileGlob(pattern)
  if (typeof glob !== 'function') throw new Error(glob.problem)
  return glob(path, dangling)
}

it.for([
  ['*', '.hid', true],
  ['*', 'a/b', false],
  ['a*', 'a', true],
  ['?.go', 'é.go', true],
  ['**/a', 'a', true],
  ['**/a', 'x/y/a', true],
  ['x/**', 'x/y/z', true],
  ['x/**', 'x', false],
  ['x**/a', 'xy/z/a', false],
  ['[a-c]x', 'bx', true],
  ['[^a]x', 'ax', false],
  ['[^a]x', 'bx', true],
  ['[!a]x', '!x', true],
  ['[!a]x', 'bx', false],
  ['a{b,c/{d,e}}', 'ac/e', true],
  ['a{b,c/{d,e}}', 'ab', true],
  ['a{b,c/{d,e}}', 'ac', false],
  ['{**/a,b}', 'x/a', true],
  ['{**/a,b}', 'x/y/a', false],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['a+(b)', 'ab', false],
  ['a.b', 'axb', false],
  ['./d//e/../a', 'd/a', true],
] as const)('%s on %s is %s', ([pattern, path, expected]) => {
  expect(matches(pattern, path)).toBe(expected)
})

it('takes a dangling link by any pattern but one that ends in **', () => {
  expect(matches('**/*', 'x/l', true)).toBe(true)
  expect(matches('x/**', 'x/l', true)).toBe(false)
})

it('never throws, and takes every plain path literally', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (pattern, path) =>
      ['boolean', 'undefined'].includes(
        typeof (() => {
          const glob = compileGlob(pattern)
          return typeof glob === 'function' ? glob(path, false) : undefined
        })(),
      ),
    ),
  )
  const name = fc.stringMatching(/^[a-z0-9 .+()@-]{1,8}$/).filter((text) => text !== '.' && text !== '..')
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 4 }),
      fc.array(name, { minLength: 1, maxLength: 4 }),
      (one, other) => {
        const [a, b] = [one.join('/'), other.join('/')]
        expect(matches(a, a)).toBe(true)
        expect(matches(a, b)).toBe(a === b)
        expect(matches('**/*', a)).toBe(true)
        expect(matches('*', a)).toBe(one.length === 1)
      },
    ),
  )
})
