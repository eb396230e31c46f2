import { describe, expect, it } from 'vitest'
import { PackageForms } from '../../shared/release/package-form.ts'
import { packageKey } from '../../shared/release/package-key.ts'

const source = (name: string, ...dependencies: string[]) => ({
  name,
  fingerprint: `${name}-1`,
  dependencies,
  digest: `sha256:source-${name}`,
})
const compiled = (stemcell: string, name: string, ...dependencies: string[]) => ({
  ...source(name, ...dependencies),
  digest: `sha256:compiled-${name}-${stemcell}`,
  stemcell,
})
const on = (version: string, os = 'ubuntu') => ({ os, version })

describe('a package with source', () => {
  it('is compiled for a stemcell that it is not compiled for, though there is an older one', () => {
    const forms = new PackageForms({ packages: [source('a')], compiledPackages: [compiled('ubuntu/1.3', 'a')] })
    expect(forms.find('a', on('1.4'))).toMatchObject({ source: 'sha256:source-a', stemcell: on('1.4') })
    expect(forms.find('a', on('1.4'))).not.toHaveProperty('compiled')
    expect(forms.find('a', on('1.3'))).toMatchObject({ compiled: 'sha256:compiled-a-ubuntu/1.3' })
  })

  it('has one key, whether the release brings it compiled or it is compiled here', () => {
    const packages = [source('a', 'b'), source('b')]
    const both = new PackageForms({
      packages,
      compiledPackages: [compiled('ubuntu/1.3', 'a', 'b'), compiled('ubuntu/1.3', 'b')],
    })
    const bare = new PackageForms({ packages })
    expect(both.find('a', on('1.3'))?.key).toBe(bare.find('a', on('1.3'))?.key)
  })
})

describe('a package that is there compiled only', () => {
  const forms = new PackageForms({
    packages: [],
    compiledPackages: ['1.3', '1.20', '1.9', '2.1'].flatMap((version) => [
      compiled(`ubuntu/${version}`, 'a', 'b'),
      compiled(`ubuntu/${version}`, 'b'),
    ]),
  })

  it('is taken for exactly the stemcell where there is one', () => {
    expect(forms.find('a', on('1.9'))?.compiled).toBe('sha256:compiled-a-ubuntu/1.9')
  })

  it('is taken from the newest version of the same os and major version otherwise, and its key says so', () => {
    const form = forms.find('a', on('1.5'))
    expect(form?.compiled).toBe('sha256:compiled-a-ubuntu/1.20')
    const key = (name: string, dependencyKeys: string[]) =>
      packageKey({ name, fingerprint: `${name}-1`, dependencyKeys, stemcell: on('1.20') })
    expect(form?.key).toBe(key('a', [key('b', [])]))
  })

  it('is not taken for another major version, nor for another os', () => {
    expect(forms.find('a', on('3.1'))).toBeUndefined()
    expect(forms.find('a', on('1.3', 'windows'))).toBeUndefined()
    expect(forms.compiledFor('a')).toEqual(['ubuntu/1.3', 'ubuntu/1.20', 'ubuntu/1.9', 'ubuntu/2.1'])
  })

  it('is not taken where a package it was compiled with is not there for that stemcell', () => {
    const holey = new PackageForms({
      packages: [],
      compiledPackages: [compiled('ubuntu/1.3', 'a', 'b'), compiled('ubuntu/2.3', 'b')],
    })
    expect(holey.find('a', on('1.3'))).toBeUndefined()
  })

  it('serves a package with source that needs it', () => {
    const mixed = new PackageForms({ packages: [source('a', 'b')], compiledPackages: [compiled('ubuntu/1.3', 'b')] })
    expect(mixed.find('a', on('1.7'))).toMatchObject({
      source: 'sha256:source-a',
      stemcell: on('1.7'),
      dependencies: [{ name: 'b', key: mixed.find('b', on('1.3'))?.key }],
    })
  })
})

describe('exported_from', () => {
  const release = {
    packages: [source('a')],
    compiledPackages: [compiled('ubuntu/1.3', 'a'), compiled('ubuntu/1.4', 'a')],
  }

  it('takes what was compiled on exactly that stemcell, though there is source and a newer one', () => {
    const form = new PackageForms(release, [on('1.3')]).find('a', on('1.4'))
    expect(form).toMatchObject({ compiled: 'sha256:compiled-a-ubuntu/1.3', stemcell: on('1.3') })
    expect(form).not.toHaveProperty('source')
  })

  it('takes nothing else', () => {
    expect(new PackageForms(release, [on('1.5')]).find('a', on('1.4'))).toBeUndefined()
    expect(new PackageForms(release, [on('1.3', 'windows')]).find('a', on('1.4'))).toBeUndefined()
  })
})
