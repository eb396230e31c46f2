import { expect, test } from 'vitest'
import { failuresIn, failureText, isOpen } from '../../../../kinds/database/postgres/links/failure.ts'

const context = (more: string) =>
  `CONTEXT:  processing remote data for replication origin "pg_16408" during message type "INSERT" ${more}, finished at 0/1B8E328`
const entry = (...lines: string[]) =>
  lines.map((line) => (line.startsWith('\t') ? line : `09:39:46 [7] ${line}`)).join('\n')

const conflict = entry(
  'ERROR:  conflict detected on relation "public.item": conflict=insert_exists',
  'DETAIL:  Key already exists in unique index "item_pkey", modified locally in transaction 755 at 2026-11-28 22:46:06+00.',
  '\tKey (id)=(5000); existing local row (5000, there); remote row (5000, here).',
  context('for replication target relation "public.item" in transaction 754'),
)

test('a conflict is reported with its table, its key and the end of its transaction', () => {
  expect(failuresIn(conflict).get('pg_16408')).toEqual({
    cause: 'conflict',
    table: 'public.item',
    columns: [],
    conflict: 'insert_exists',
    key: { columns: 'id', values: '5000' },
    lsn: '0/1B8E328',
    message: 'conflict detected on relation "public.item": conflict=insert_exists',
  })
})

test('the words of PostgreSQL 17 for the same are understood', () => {
  const older = entry(
    'ERROR:  duplicate key value violates unique constraint "item_pkey"',
    'DETAIL:  Key (id)=(5000) already exists.',
    context('for replication target relation "public.item" in transaction 754'),
  )
  expect(failuresIn(older).get('pg_16408')).toMatchObject({
    cause: 'conflict',
    table: 'public.item',
    key: { columns: 'id', values: '5000' },
  })
})

test('a table and columns that are missing are named, whatever is in their names', () => {
  const table = entry(
    'ERROR:  logical replication target relation "public.a "b" does not exist',
    context('in transaction 1'),
  )
  expect(failuresIn(table).get('pg_16408')).toMatchObject({ cause: 'missing-table', table: 'public.a "b' })
  const columns = entry(
    'ERROR:  logical replication target relation "public.item" is missing replicated columns: "x", "y, z"',
    context('in transaction 1'),
  )
  const failure = failuresIn(columns).get('pg_16408')!
  expect(failure).toMatchObject({ cause: 'missing-column', table: 'public.item', columns: ['x', 'y, z'] })
  expect(failureText(failure, ['n1', 'n2'])).toBe('table public.item has no columns x, y, z on n2')
})

test('the last failure of each subscription counts, and what clients did wrong is none', () => {
  const client = entry(
    'ERROR:  duplicate key value violates unique constraint "item_pkey"',
    'DETAIL:  Key (id)=(1) already exists.',
    'STATEMENT:  INSERT INTO item VALUES (1)',
  )
  const other = entry(
    'ERROR:  null value in column "name" of relation "item" violates not-null constraint',
    context('for replication target relation "public.item" column "name" in transaction 760').replace('16408', '16500'),
  )
  const found = failuresIn([conflict, client, other, conflict.replaceAll('5000', '6000'), client].join('\n'))
  expect([...found.keys()]).toEqual(['pg_16408', 'pg_16500'])
  expect(found.get('pg_16408')?.key?.values).toBe('6000')
  expect(found.get('pg_16500')).toMatchObject({ cause: 'other', table: 'public.item' })
})

test('a failure behind which more was applied is over', () => {
  const failure = failuresIn(conflict).get('pg_16408')!
  expect(isOpen(failure, '0/0')).toBe(true)
  expect(isOpen(failure, '0/1B8E328')).toBe(true)
  expect(isOpen(failure, '0/1B8E358')).toBe(false)
})
