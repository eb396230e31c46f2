import { expect, test } from 'vitest'
import { kind } from '../../../kinds/database/kind.ts'
import { extensionsHere } from '../../../kinds/database/postgres/extensions.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { SourceDocument } from '../../../shared/source/document.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'
import { planOf } from './planned.ts'

const wish: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' } }

/** What a document with these extensions is refused for. */
async function faults(more: Partial<Wish>) {
  try {
    await planOf({ ...wish, ...more })
    await kind.check!(new SourceDocument('shop.yml', documentOf({ ...wish, ...more })))
  } catch (error) {
    if (error instanceof RemodelError) return error.faults
    throw error
  }
  return []
}

test('one that PostgreSQL does not have is refused at its line, with the nearest name', async () => {
  const [fault, ...others] = await faults({ extensions: ['hstore', 'pg_trgn'] })
  expect(others).toEqual([])
  expect(fault).toMatchObject({ path: 'extensions[1]', suggestion: 'pg_trgm', line: expect.any(Number) })
  expect(fault?.message).toMatch(/has no extension pg_trgn$/)
})

test('one whose library has to be loaded is refused where a node does not load it, and says what that costs', async () => {
  const [fault] = await faults({ extensions: ['pg_stat_statements'] })
  expect(fault).toMatchObject({ path: 'extensions[0]' })
  expect(fault?.message).toMatch(
    /n1, n2 would not: add `shared_preload_libraries: pg_stat_statements` .* restarts once$/,
  )
  const settings = { Shared_Preload_Libraries: 'auto_explain, "pg_stat_statements"' }
  expect(await faults({ extensions: ['pg_stat_statements'], settings })).toEqual([])
})

test('plpgsql, a name that comes twice, and what is no name are refused', async () => {
  expect((await faults({ extensions: ['plpgsql'] }))[0]?.message).toMatch(/every database has it/)
  expect((await faults({ extensions: ['hstore', 'hstore'] }))[0]).toMatchObject({ path: 'extensions[1]' })
  expect((await faults({ extensions: ['hs; DROP'] }))[0]?.message).toMatch(/must be the name of an extension/)
})

test('contrib of the PostgreSQL that Remodel brings is there', () => {
  expect(extensionsHere()).toEqual(
    expect.arrayContaining(['pg_trgm', 'pgcrypto', 'hstore', 'postgres_fdw', 'pg_stat_statements']),
  )
})

test('a change of extensions is one of the database on each node, in any order none', async () => {
  const built = builtBy(await planOf({ ...wish, extensions: ['hstore', 'pg_trgm'] }))
  expect((await planOf({ ...wish, extensions: ['pg_trgm', 'hstore'] }, built)).remodels).toEqual([])
  const { remodels, consequences } = await planOf({ ...wish, extensions: ['hstore', 'citext'] }, built)
  const made = remodels.filter(({ step }) => step === 'set-up-database')
  expect(made.map(({ material }) => material)).toEqual(['postgres_database/n1:shop', 'postgres_database/n2:shop'])
  for (const { input } of made)
    expect(input).toMatchObject({ extensions: ['citext', 'hstore'], goneExtensions: ['pg_trgm'] })
  expect(consequences).toEqual([
    'extension citext comes: nothing is interrupted',
    'extension pg_trgm goes; where something of the database rests on it, it stays',
  ])
})

test('a node that is copied has them made once more behind its copy', async () => {
  const built = builtBy(await planOf(wish))
  const three = { ...wish, nodes: { ...wish.nodes, n3: 'c' }, source: { n3: 'n1' }, extensions: ['hstore'] }
  const { remodels } = await planOf(three, built)
  const order = remodels.map(({ id }) => id)
  const last = order.indexOf('set-up-database postgres_database/n3:shop (behind its copy)')
  expect(last).toBeGreaterThan(order.indexOf('populate-node subscription/n1:n3:shop'))
  expect(remodels[last]!.input).toMatchObject({ extensions: ['hstore'], copied: false })
})
