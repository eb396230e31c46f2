import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesOf, root } from './sources.ts'

/** A longer file is about more than one thing. */
const most = 400

test('no source has more than 400 lines', () => {
  const long = filesOf('{cli,kinds,services,shared,bench,script,examples}/**/*.{ts,lua,c,h,rb}').flatMap((file) => {
    const lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1
    return lines > most ? [`${file}: ${lines}`] : []
  })
  expect(long).toEqual([])
})
