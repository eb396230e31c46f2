import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InstanceAttributes } from '../../../kinds/database/inputs.ts'
import { kind } from '../../../kinds/database/kind.ts'
import { saslprep } from '../../../kinds/database/postgres/saslprep.ts'
import { verifierOf, verifies } from '../../../kinds/database/postgres/scram.ts'
import { accessRules } from '../../../kinds/database/server/access.ts'
import { sealPlan } from '../../../services/planner/planning/seal.ts'
import { DiskBlobstore } from '../../../shared/blobstore/disk.ts'
import { Secrets } from '../../../shared/runtime/secrets.ts'
import { SourceDocument } from '../../../shared/source/document.ts'
import { documentOf } from './document.ts'

let home: string
let blobs: DiskBlobstore
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'remodel-passwords-'))
  blobs = await DiskBlobstore.open(join(home, 'blobs'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const catalog = { releases: [], created: {}, stemcells: [], configs: { cloud: [], runtime: [] }, taken: [] }

function documentWith(password: string, name = 'shop'): SourceDocument {
  const value = JSON.parse(documentOf({ name, net: 80, nodes: { n1: 'ab' } }))
  value.database_users[0].password = password
  return new SourceDocument('shop.yml', JSON.stringify(value))
}

async function planOf(document: SourceDocument, secrets: Secrets) {
  const kept = await kind.keep!(document, { blobs, secrets })
  const blueprint = kind.architect(document, { ...catalog, kept })
  const floorplan = { deployment: blueprint.deployment, version: 1, materials: [] }
  const options = { recreate: false, remove: false, skipDrain: false }
  return {
    kept,
    plan: sealPlan(await kind.foreman(blueprint, floorplan, options), blueprint, floorplan),
  }
}

const saltOf = (verifier: string) => /:([^$]+)\$/.exec(verifier)![1]!

describe('the password of a user of a database', () => {
  test('is in no plan, neither as it is nor as PostgreSQL stores it: the plan names a blob', async () => {
    const { kept, plan } = await planOf(documentWith('open sesame'), await Secrets.open(home))
    const text = JSON.stringify(plan)
    expect(text).not.toContain('open sesame')
    expect(text).not.toContain('SCRAM-SHA-256')
    expect(text).toContain(kept.app)
    expect(await verifies((await blobs.get(kept.app!)).toString(), 'open sesame')).toBe(true)
  })

  test('is no change as long as it stays the same, and is one when it changes', async () => {
    const secrets = await Secrets.open(home)
    const first = await planOf(documentWith('open sesame'), secrets)
    const again = await planOf(documentWith('open sesame'), await Secrets.open(home))
    expect(again.plan).toEqual(first.plan)
    expect((await planOf(documentWith('open barley'), secrets)).kept.app).not.toBe(first.kept.app)
  })

  test('has a salt that follows from nothing that others know, and is another one for each role, database and Remodel', async () => {
    const salts = new Set<string>()
    for (const folder of ['one', 'two']) {
      const secrets = await Secrets.open(join(home, folder))
      for (const name of ['shop', 'store']) {
        const { kept } = await planOf(documentWith('open sesame', name), secrets)
        salts.add(saltOf((await blobs.get(kept.app!)).toString()))
      }
    }
    expect(salts.size).toBe(4)
    const guess = createHash('sha256').update('shop\0app').digest().subarray(0, 16).toString('base64')
    expect(salts).not.toContain(guess)
  })

  test('takes more rounds to guess than PostgreSQL would ask for', async () => {
    const verifier = await verifierOf('x', new Uint8Array(16))
    expect(Number(/\$(\d+):/.exec(verifier)![1])).toBeGreaterThanOrEqual(8 * 4096)
    expect(await verifies(verifier, 'y')).toBe(false)
    expect(await verifies(null, 'x')).toBe(false)
  })

  test('that was kept nowhere is not taken for no password', () => {
    const [instance] = kind
      .architect(documentWith('open sesame'), catalog)
      .materials.filter(({ id }) => id.startsWith('instance/'))
      .map(({ attributes }) => InstanceAttributes.parse(attributes))
    expect(instance!.users[0]!.verifier).toMatch(/^sha256:/)
  })
})

describe('who may come in to a server', () => {
  test.each(['clients', 'peers', 'none'] as const)('no rule for %s lets the admin role in over the network', (to) => {
    const rules = accessRules(to, 'host')
      .split('\n')
      .map((line) => line.split(/\s+/))
    for (const database of ['all', 'replication']) {
      const first = rules.find(([type, on, role]) => type === 'host' && on === database && role === 'remodel')
      expect(first?.at(-1)).toBe('reject')
    }
    expect(rules.filter((rule) => rule.at(-1) === 'trust')).toEqual([])
    expect(rules[0]).toEqual(['local', 'all', 'remodel', 'peer', 'map=remodel'])
  })

  test('a database user may not be called as a role of Remodel', () => {
    for (const username of ['remodel', 'remodel_replication']) {
      const value = JSON.parse(documentOf({ net: 80, nodes: { n1: 'ab' } }))
      value.database_users[0].username = username
      const document = new SourceDocument('shop.yml', JSON.stringify(value))
      expect(() => kind.architect(document, catalog)).toThrowError(
        expect.objectContaining({
          code: 'invalid-input',
          faults: [expect.objectContaining({ path: 'database_users[0].username' })],
        }),
      )
    }
  })
})

describe('SASLprep', () => {
  /**
   * Of each, what PostgreSQL hashes: `src/common/saslprep.c` looks at what was written, and takes
   * what it refuses as it is.
   */
  test.each([
    ['ASCII, control characters too', 'pass\u0007word', 'pass\u0007word'],
    ['a soft hyphen', 'ab\u00adcd', 'abcd'],
    ['a zero-width space, which is a blank', 'ab\u200bcd', 'ab cd'],
    ['a byte order mark', 'x\ufeffy', 'xy'],
    ['another blank', 'a\u00a0b', 'a b'],
    ['what is normalized', '\u2168\u00bd', 'IX1\u20442'],
    ['a control character beside it', '\u2168\u0007', '\u2168\u0007'],
    ['a character that Unicode 3.2 had not', '\u2168\u0378', '\u2168\u0378'],
    ['an emoji', 'gr\ud83d\ude00n\u00aa', 'gr\ud83d\ude00n\u00aa'],
    ['both directions', '\u2168\u0627', '\u2168\u0627'],
    ['one direction that does not end so', '\u0627\u00bd', '\u0627\u00bd'],
    ['one direction', '\u0627\u00bd\u0628', '\u06271\u20442\u0628'],
    ['a tone mark that is prohibited and would become another', 'e\u0340', 'e\u0340'],
    ['nothing but what is mapped to nothing', '\u00ad', '\u00ad'],
  ])('of %s', (_what, password, prepared) => {
    expect(saslprep(password)).toBe(prepared)
  })
})

describe('the key of the secrets', () => {
  test('is one for all services that want it at once, and only its owner can read it', async () => {
    const folder = join(home, 'new')
    const all = await Promise.all(Array.from({ length: 8 }, () => Secrets.open(folder)))
    expect(new Set(all.map((secrets) => secrets.derive('a').toString('hex'))).size).toBe(1)
    expect(await readdir(folder)).toEqual(['secret.key'])
    expect((await stat(join(folder, 'secret.key'))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
  })
})
