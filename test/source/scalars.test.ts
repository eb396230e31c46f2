import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SourceDocument } from '../../shared/source/document.ts'
import { readTree } from '../../shared/source/tree.ts'

const meaning = (text: string) => new SourceDocument('a.yml', text).value

describe('a plain scalar means what it means to Psych', () => {
  test.each<[string, unknown]>([
    ...['yes', 'Yes', 'YES', 'true', 'on', 'ON'].map((text): [string, unknown] => [text, true]),
    ...['no', 'No', 'false', 'FALSE', 'off', 'Off'].map((text): [string, unknown] => [text, false]),
    ...['~', 'null', 'NULL', ''].map((text): [string, unknown] => [text, null]),
    ...[
      'y',
      'n',
      'Y',
      'N',
      'yess',
      '08',
      '1e3',
      '1.5e3',
      '100_',
      '_100',
      '1:2:3:4',
      '00:00:00:00:00',
      '.',
      '+.',
      '0x_,_',
    ].map((text): [string, unknown] => [text, text]),
    ['0644', 420],
    ['-010', -8],
    ['0_7', 7],
    ['1_000', 1000],
    ['1,000', 1000],
    ['0x1F', 31],
    ['0b0,1_01', 5],
    ['+12', 12],
    ['1:30', 90],
    ['-1:30', -90],
    ['190:20:30', 685_230],
    ['190:20:30.15', 685_230.15],
    ['1.10', 1.1],
    ['.5', 0.5],
    ['1.', 1],
    ['1.5e+3', 1500],
  ])('%s', (text, value) => {
    expect(meaning(`key: ${text}`)).toEqual({ key: value })
    expect(meaning(`key: "${text}"`)).toEqual({ key: text })
  })

  test.each([
    '12345678901234567890',
    '9007199254740993',
    '2020-01-01',
    '2020-01-01T00:00:00Z',
    '.inf',
    '-.INF',
    '.nan',
  ])('%s stays text, since JSON cannot carry what it means', (text) =>
    expect(meaning(`key: ${text}`)).toEqual({ key: text }),
  )

  test('whatever version of YAML the document says it is', () => {
    expect(meaning('%YAML 1.2\n---\nkey: yes\n')).toEqual({ key: true })
  })
})

describe('a scalar where a text is meant', () => {
  const shape = z.strictObject({
    version: z.string().regex(/^[0-9.a-z_:]+$/),
    azs: z.array(z.string()).optional(),
    parts: z.array(z.looseObject({ version: z.string() })).optional(),
    either: z.union([z.array(z.string()), z.string()]).optional(),
  })
  const read = (text: string) => new SourceDocument('a.yml', text).parse(shape)

  test.each([
    '2.10',
    '1.360',
    '12345678901234567890',
    '1e3',
    '0x10',
    '010',
    '1_000',
    '1:30',
    'no',
    'true',
    '00000000000000000001',
  ])('%s is taken as it is written', (text) => expect(read(`version: ${text}`)).toEqual({ version: text }))

  test('is taken as it is written in lists, maps and unions', () => {
    expect(read('{version: 1.0, azs: [no, 1.0], parts: [{version: 1.20}], either: [1.30]}')).toEqual({
      version: '1.0',
      azs: ['no', '1.0'],
      parts: [{ version: '1.20' }],
      either: ['1.30'],
    })
  })

  test('is taken as it is written where an alias or a merge brings it', () => {
    expect(read('{parts: [&a {version: &v 1.20}, {<<: *a}, {<<: [*a], more: 1}], version: *v}')).toEqual({
      version: '1.20',
      parts: [{ version: '1.20' }, { version: '1.20' }, { version: '1.20', more: 1 }],
    })
  })

  test('is a fault where nothing is written, or no scalar', () => {
    expect(() => read('version: ~')).toThrow(
      expect.objectContaining({ faults: [expect.objectContaining({ line: 1 })] }),
    )
    expect(() => read('version: [1.0]')).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })

  test('leaves the document as it was', () => {
    const document = new SourceDocument('a.yml', 'version: 2.10\nazs: [1.0]')
    document.parse(shape)
    expect(document.value).toEqual({ version: 2.1, azs: [1] })
  })
})

test('an alias that names nothing is a fault at its line', () => {
  expect(readTree('a: 1\nb: *none\n').faults).toEqual([
    { line: 2, column: 4, message: 'the alias *none names nothing that stands before it' },
  ])
})
