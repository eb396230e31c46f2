import { expect, test } from 'vitest'
import { maskOrder } from '../../services/planner/http/board/orders.ts'

const rooms = { walked: ['rooms'], shown: ['size'] }
const gardens = { walked: ['beds'], shown: ['rose'] }
const shown = (content: string, kinds = [rooms, gardens]) =>
  (maskOrder({ manifest: { name: 'a.yml', content } }, kinds) as { manifest: { content: unknown } }).manifest.content

test('a value is shown where its kind says so, below keys that the kind walks', () => {
  const text = 'name: a\nsize: 3\nrooms: [{ size: 4, colour: red }]\nbeds: { size: 5, rose: tea }\nother: { size: 6 }'
  expect(shown(text)).toEqual({
    name: 'a',
    size: 3,
    rooms: [{ size: 4, colour: '***' }],
    beds: { size: 5, rose: 'tea' },
    other: '***',
  })
})

test('without a kind that says more, only name and kind of a document are shown', () => {
  expect(shown('name: a\nkind: b\nsize: 3', [])).toEqual({ name: 'a', kind: 'b', size: '***' })
})

test('what the order itself says is shown, and fields that are not known are hidden', () => {
  const order = { options: { recreate: true }, message: 'spring', more: 'secret' }
  expect(maskOrder(order, [])).toEqual({ options: { recreate: true }, message: 'spring', more: '***' })
})

test('a document that cannot be read, or is too long, is not shown', () => {
  expect(shown('a: [')).toBe('no YAML, so it is not shown')
  expect(shown(`a: ${'x'.repeat(200_000)}`)).toBe('200003 characters: too long to be shown here')
})
