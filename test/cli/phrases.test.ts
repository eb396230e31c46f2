import { writeFile } from 'node:fs/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { planLines } from '../../cli/views/plan-text.ts'
import { createStyle } from '../../cli/views/style.ts'
import { builtIn } from '../../kinds/built-in.ts'
import { phrasesOf } from '../../kinds/phrases.ts'
import type { StoredReason } from '../../shared/model/reason.ts'
import { temporaryFolder } from './remodel.ts'
import { plan } from './sample.ts'

afterEach(() => vi.unstubAllEnvs())

const made = (reasons: StoredReason[]) =>
  plan([{ id: 'a', action: 'create', material: 'thing/a', title: 'make a', stage: 's', reasons }])
const lines = (of: ReturnType<typeof plan>, say: Awaited<ReturnType<typeof phrasesOf>>) =>
  planLines(of, { style: createStyle(false), verbose: false, next: [], say }).join('\n')

test.each(Object.keys(builtIn))('the command says the reasons of a plan of kind %s', async (kind) => {
  expect(await phrasesOf(kind)).toBeTypeOf('function')
})

test('reasons are said by their kind, those of a plan that an earlier version stored as they are', async () => {
  const drawn = made([{ code: 'az-changed', before: 'z1', after: 'z2' }, 'stemcell changed 1.1 -> 1.2'])
  expect(lines(drawn, await phrasesOf('deployment'))).toContain(
    '+ make a  az changed z1 -> z2; stemcell changed 1.1 -> 1.2',
  )
})

test('an extension says its own reasons; of a kind that the command does not have codes are shown as words', async () => {
  await using folder = await temporaryFolder()
  const phrases = "(reason) => reason.code === 'too-loud' ? `louder than ${reason.most}` : undefined"
  await writeFile(folder.in('loud.mjs'), `export const name = 'loud'\nexport const phrases = ${phrases}\n`)
  vi.stubEnv('REMODEL_EXTENSIONS', folder.in('loud.mjs'))
  const drawn = made([{ code: 'too-loud', most: 11 }])
  expect(lines(drawn, await phrasesOf('loud'))).toContain('+ make a  louder than 11')
  expect(lines(drawn, await phrasesOf('quiet'))).toContain('+ make a  too loud (most 11)')
})
