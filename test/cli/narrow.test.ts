import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStyle, width } from '../../cli/views/style.ts'
import { table } from '../../cli/views/table.ts'
import { wrap } from '../../cli/views/wrap.ts'

const words = fc.array(fc.stringMatching(/^[a-z]{1,14}$/), { minLength: 1, maxLength: 30 })

describe('on a narrow terminal', () => {
  test('lines are broken between words, none is longer than the terminal, and no word is lost', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 40, max: 90 }), fc.nat(12), (list, columns, indent) => {
        const lines = wrap(`${' '.repeat(indent)}${list.join(' ')}`, columns)
        expect(lines.flatMap((line) => line.trim().split(' '))).toEqual(list)
        for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns)
        for (const line of lines.slice(1)) expect(line).toMatch(/^ {4,}\S/)
      }),
    )
  })

  test('a word that is longer than the terminal stays whole, so that it can be copied', () => {
    const id = 'x'.repeat(90)
    expect(wrap(`see ${id} there`, 60)).toContain(`    ${id}`)
  })

  test('colours take no column', () => {
    const style = createStyle(true)
    expect(wrap(style.red('red '.repeat(14).trim()), 60)).toHaveLength(1)
  })

  const headings = ['Plan', 'Deployment', 'Error']
  const rows = [
    ['p3f2a91c04d7e', 'shop', 'packaging of hello exited with 1 as no compiler was found there'],
    ['p3f2a91c04d7f', 'a-deployment-of-a-longer-name', ''],
  ]

  test('a table wraps its widest column at words, and a pipe gets whole rows', () => {
    const lines = table(createStyle(false, 80), headings, rows)
    for (const line of lines) expect(width(line)).toBeLessThanOrEqual(80)
    expect(lines.join(' ').split(/\s+/)).toEqual(expect.arrayContaining(rows.flat().join(' ').trim().split(' ')))
    expect(table(createStyle(false), headings, rows)).toHaveLength(3)
  })

  test('where words alone are too wide, each row is a paragraph', () => {
    expect(table(createStyle(false, 40), headings, [...rows, ['  hello', 'runs', '']])).toEqual([
      'Plan        p3f2a91c04d7e',
      'Deployment  shop',
      'Error       packaging of hello exited with 1 as no compiler was found there',
      '',
      'Plan        p3f2a91c04d7f',
      'Deployment  a-deployment-of-a-longer-name',
      '  hello  runs',
    ])
  })

  test('tables of any content fit, or are paragraphs that hold every word', () => {
    const cell = words.map((list) => list.join(' '))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 30, max: 120 }),
        (given, columns) => {
          const lines = table(createStyle(false, columns), headings, given)
          const found = lines.join(' ').split(/\s+/).sort()
          for (const word of given.flat().join(' ').split(' ')) expect(found).toContain(word)
          if (lines[0]!.startsWith('Plan  ') && lines[0]!.includes('Error'))
            for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns)
        },
      ),
    )
  })
})
