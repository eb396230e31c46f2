import { expect, test } from 'vitest'
import { kind as files } from '../../examples/kinds/files.ts'
import type { Kind } from '../../kinds/contract/kind.ts'
import { deploymentOf } from '../../kinds/registry.ts'
import { SourceDocument } from '../../shared/source/document.ts'

const kinds: readonly [string, Kind][] = [['files', files]]

test.each([
  'a:b',
  '{}',
  'caf\u00e9',
  'a\u0000b',
  'a\u001b[31mb',
  'a\u202eb',
  '-a',
  '.a',
  '..',
  'a'.repeat(64),
  '\u2028',
  'a\n',
  '',
])('%j is no name of a deployment, of whatever kind', (name) => {
  for (const [, kind] of kinds) {
    const named = { ...kind, deploymentName: () => name }
    expect(() => deploymentOf(named, new SourceDocument('a.yml', 'name: x\n'))).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        faults: [expect.objectContaining({ file: 'a.yml', line: 1, path: 'name', found: JSON.stringify(name) })],
      }),
    )
  }
})

test('a name of 63 characters is one', () => {
  const name = `a${'b'.repeat(62)}`
  expect(deploymentOf({ ...files, deploymentName: () => name }, new SourceDocument('a.yml', 'name: x\n'))).toBe(name)
})
