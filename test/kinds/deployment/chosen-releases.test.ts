import { expect, test } from 'vitest'
import { chosenReleases } from '../../../kinds/deployment/plan/architect/uploads.ts'
import { SourceDocument } from '../../../shared/source/document.ts'

test('the releases that are read are those that a manifest is bound to', () => {
  const catalog = ['1', '10', '9', '10.1', '10.2'].map((version) => ({ name: 'a', version }))
  const chosen = (releases: unknown, created = {}) =>
    chosenReleases(new SourceDocument('m', JSON.stringify({ releases })), { releaseIds: catalog, created })
  const of = (version: string) => [{ name: 'a', version }]
  expect(chosen([{ name: 'a', version: 9 }])).toEqual(of('9'))
  const written = new SourceDocument('m', 'releases: [{ name: a, version: 10.10 }]')
  expect(chosenReleases(written, { releaseIds: of('10.10'), created: {} })).toEqual(of('10.10'))
  expect(chosen([{ name: 'a', version: 'latest' }])).toEqual(of('10.2'))
  expect(chosen([{ name: 'a', version: '10.latest' }])).toEqual(of('10.2'))
  expect(chosen([{ name: 'a', version: 'create' }], { a: '1' })).toEqual(of('1'))
  for (const none of [
    undefined,
    'a',
    [7],
    [{ name: 'b', version: 1 }],
    [{ name: 'a', version: 'no' }],
    [{ name: 'a' }],
  ])
    expect(chosen(none)).toEqual([])
})
