import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesOf, root } from './sources.ts'

/** Words of one kind. The core (`shared/`, `services/`) names none of them, in code or in comments. */
const words = [
  'archives\\b',
  'back-?up',
  'Render(?:Context|Request|Link)\\b',
  'instance/',
  'vm/',
  'disk/',
  'networks\\b',
  '/var/vcap',
  'databases?\\b',
  'postgres\\w*',
  'pgedge',
  'canar(?:y|ies)',
  'persistent_disk',
  'instance_groups?',
  ...filesOf('kinds/*/steps/*.ts').map((file) => `${basename(file, '.ts')}(?![\\w-])`),
]
const word = new RegExp(`(?<![\\w-])(?:${words.join('|')})`, 'gi')

/** Words that are not a kind's where they are. */
const reasons: Record<string, Record<string, string>> = {
  'services/planner/http/routes/deployments.ts': { 'instance/': 'a parameter of a path' },
  'services/compiler/gather.ts': { archives: 'of packages that are compiled' },
  'shared/release/': {
    archives: 'tarballs of releases',
    '/var/vcap': 'a release is written for machines of this layout',
  },
  'shared/provider/': {
    '/var/vcap': 'the layout of every machine, whatever runs on it',
    'instance/': 'an example of what a machine is for',
  },
  'shared/model/material.ts': { 'instance/': 'an example of an id' },
  'shared/model/plan.ts': { 'start-instance': 'an example of a step' },
  'shared/runtime/errors.ts': { instance_groups: 'an example of a place in a document' },
  'shared/runtime/redis/address.ts': { database: 'of Redis' },
}

const found = filesOf('{shared,services}/**/*.{ts,lua,c,h}').flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8')
  return [...new Set([...text.matchAll(word)].map(([match]) => match.toLowerCase()))].map((match) => ({ file, match }))
})
const hasReason = ({ file, match }: (typeof found)[number]) =>
  Object.entries(reasons).some(([where, ofWords]) => file.startsWith(where) && Object.hasOwn(ofWords, match))

describe('the core', () => {
  test('names no kind, no step of a kind and nothing that a kind is about', () => {
    expect(found.filter((one) => !hasReason(one))).toEqual([])
  })

  test('every exception is needed', () => {
    const given = Object.entries(reasons).flatMap(([where, some]) =>
      Object.keys(some).map((match) => ({ where, match })),
    )
    expect(
      given.filter((one) => !found.some(({ file, match }) => file.startsWith(one.where) && one.match === match)),
    ).toEqual([])
  })
})
