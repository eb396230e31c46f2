import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fingerprint } from '../../shared/release/fingerprint.ts'
import { PackageForms } from '../../shared/release/package-form.ts'
import { packageGraph } from '../../shared/release/package-graph.ts'
import { packageKey } from '../../shared/release/package-key.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

const stemcell = { os: 'ubuntu-jammy', version: '1.2' }
const input = fc.record({
  name: fc.string(),
  fingerprint: fc.string(),
  dependencyKeys: fc.array(fc.string(), { maxLength: 3 }),
  stemcell: fc.record({ os: fc.string(), version: fc.string() }),
})
const canonical = (one: {
  name: string
  fingerprint: string
  dependencyKeys: string[]
  stemcell: { os: string; version: string }
}) =>
  JSON.stringify([
    one.name,
    one.fingerprint,
    [...new Set(one.dependencyKeys)].sort(),
    one.stemcell.os,
    one.stemcell.version,
  ])

/** A release without circles: a package needs earlier ones only; its list is shuffled afterwards. */
const graph = fc
  .array(fc.record({ needs: fc.array(fc.nat(), { maxLength: 3 }), fingerprint: fc.nat(3) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((nodes) =>
    nodes.map(({ needs, fingerprint }, index) => ({
      name: `p${index}`,
      fingerprint: `f${fingerprint}`,
      dependencies: index === 0 ? [] : [...new Set(needs.map((need) => `p${need % index}`))],
    })),
  )
  .chain((packages) => fc.shuffledSubarray(packages, { minLength: packages.length }))

it('two packages have one key exactly if everything that goes into it is equal', () => {
  fc.assert(fc.property(input, input, (a, b) => (packageKey(a) === packageKey(b)) === (canonical(a) === canonical(b))))
  fc.assert(
    fc.property(
      input,
      (a) =>
        packageKey(a) === packageKey({ ...a, dependencyKeys: [...a.dependencyKeys, ...a.dependencyKeys].reverse() }),
    ),
  )
})

it('the key of a package is this text, for as long as compiled packages are to be found again', () => {
  // printf '%s' '["remodel-package-1","zlib","aa","ubuntu-jammy","1.2",["k1","k2"]]' | sha256sum
  expect(packageKey({ name: 'zlib', fingerprint: 'aa', dependencyKeys: ['k2', 'k1'], stemcell })).toBe(
    '4617c952ae0cd9c2da8669bdbd103620760e56526a2c5cbd762b0cb888312983',
  )
})

function keysOf(packages: { name: string; fingerprint: string; dependencies: string[] }[]): Map<string, string> {
  const forms = new PackageForms({ packages: packages.map((one) => ({ ...one, digest: 'sha256:source' })) })
  return new Map(forms.names.map((name) => [name, forms.find(name, stemcell)!.key]))
}

it('a change of a package changes the keys of all that need it, directly or not, and of nothing else', () => {
  fc.assert(
    fc.property(graph, fc.nat(), (packages, pick) => {
      const changed = packages[pick % packages.length]!
      const before = keysOf(packages)
      const after = keysOf(packages.map((pack) => (pack === changed ? { ...pack, fingerprint: 'other' } : pack)))
      const { closure } = packageGraph({ packages })
      for (const { name } of packages) {
        const touched = name === changed.name || closure(name).includes(changed.name)
        expect(before.get(name) !== after.get(name)).toBe(touched)
      }
    }),
  )
})

it('orders every package after all it needs, the same whatever the order of the list', () => {
  fc.assert(
    fc.property(graph, (packages) => {
      const { order, closure } = packageGraph({ packages })
      expect([...order].sort()).toEqual(packages.map((pack) => pack.name).sort())
      for (const { name, dependencies } of packages) {
        for (const need of dependencies) expect(order.indexOf(need)).toBeLessThan(order.indexOf(name))
        expect(new Set(closure(name))).toEqual(new Set(dependencies.flatMap((need) => [need, ...closure(need)])))
      }
      expect(packageGraph({ packages: [...packages].reverse() }).order).toEqual(order)
    }),
  )
})

it('names the circle, and the package that is not there', () => {
  const pack = (name: string, ...dependencies: string[]) => ({ name, dependencies })
  const thrown = (packages: ReturnType<typeof pack>[]) => {
    try {
      packageGraph({ packages })
    } catch (error) {
      return error as RemodelError
    }
    throw new Error('not refused')
  }
  const circle = thrown([pack('x', 'a'), pack('a', 'b'), pack('b', 'a'), pack('z')])
  expect(circle.code).toBe('invalid-input')
  expect(circle.details).toEqual({ cycle: ['a', 'b', 'a'] })
  expect(thrown([pack('a', 'ghost')]).faults[0]?.message).toContain('ghost')
  expect(() => packageGraph({ packages: [pack('a')] }).closure('b')).toThrow(RemodelError)
})

it('a chain of 20,000 packages is no deeper than one of two', () => {
  const packages = Array.from({ length: 20_000 }, (_, index) => ({
    name: `p${index}`,
    dependencies: index === 0 ? [] : [`p${index - 1}`],
  }))
  const { order, closure } = packageGraph({ packages })
  expect(order.at(-1)).toBe('p19999')
  expect(closure('p19999')).toHaveLength(19_999)
  expect(keysOf(packages.map((pack) => ({ ...pack, fingerprint: 'f' }))).size).toBe(20_000)
})

it('the order of files and dependencies makes no difference to a fingerprint; names, contents and modes do', () => {
  const file = fc.record({
    path: fc.string(),
    sha256: fc.string(),
    mode: fc.constantFrom('100644' as const, '100755' as const, 'symlink' as const, null),
  })
  const files = fc.uniqueArray(file, { minLength: 1, selector: (one) => one.path })
  fc.assert(
    fc.property(files, fc.uniqueArray(fc.string()), (list, needs) => {
      const one = fingerprint(list, needs)
      expect(fingerprint([...list].reverse(), [...needs].reverse())).toBe(one)
      expect(fingerprint([{ ...list[0]!, sha256: `${list[0]!.sha256}0` }, ...list.slice(1)], needs)).not.toBe(one)
    }),
  )
})
