import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStyle, visible } from '../../cli/views/style.ts'

test('what a terminal would obey is written out', () => {
  expect(visible('a\u001b[2Jb\u0007\u0000\u007f\u009b', false)).toBe('a␛[2Jb␇␀␡<U+009B>')
  expect(visible('a\u202eb\u2066', false)).toBe('a<U+202E>b<U+2066>')
  expect(visible('a\tb\nc é 漢', false)).toBe('a\tb\nc é 漢')
})

test('colours of our own stay where colour is wanted, and nothing else of a terminal does', () => {
  const red = createStyle(true).red('a')
  expect(visible(red, true)).toBe(red)
  expect(visible('\u001b[31mx\u001b]0;title\u0007', true)).toBe('\u001b[31mx␛]0;title␇')
})

test('no text whatsoever gets a control character through', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(visible(text, false)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
    }),
  )
})
