import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { Authority } from '../../shared/certificates/authority.ts'
import { certificateIn, whyRenew } from '../../shared/certificates/renewal.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'

const secrets = new Secrets(Buffer.alloc(32, 7))
const shop = new Authority(secrets, 'shop')
const day = 24 * 3_600_000
const now = Date.parse('2026-03-01T12:00:00Z')
const address = '127.80.0.1'
const wanted = { name: 'n1-a', hosts: ['a', 'n1'], addresses: [address], days: 90 }
const needed = { address, days: 90, authority: shop.certificate }
const issued = () => {
  const { certificate } = shop.issue(wanted, now)
  return new X509Certificate(certificate)
}

test('the CA of a deployment is the same wherever it is made, and another one for another deployment or installation', () => {
  expect(new Authority(secrets, 'shop').certificate).toBe(shop.certificate)
  expect(new Authority(secrets, 'till').certificate).not.toBe(shop.certificate)
  const other = new X509Certificate(new Authority(new Secrets(Buffer.alloc(32, 8)), 'shop').certificate)
  const own = new X509Certificate(shop.certificate)
  expect(other.subject).not.toBe(own.subject)
  expect(own.ca).toBe(true)
  expect(own.verify(own.publicKey)).toBe(true)
})

test('a certificate of a server names its address, its host and its node, has a key of its own, and is no CA', () => {
  const { key, certificate } = shop.issue(wanted, now)
  const found = new X509Certificate(certificate)
  const ca = new X509Certificate(shop.certificate)
  expect(found.checkIssued(ca) && found.verify(ca.publicKey)).toBe(true)
  expect(found.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect([found.checkIP(address), found.checkHost('n1'), found.checkHost('a')]).toEqual([address, 'n1', 'a'])
  expect([found.checkIP('127.80.0.2'), found.checkHost('n2')]).toEqual([undefined, undefined])
  expect(found.ca).toBe(false)
  expect(shop.issue(wanted, now).key).not.toBe(key)
})

test('a certificate is renewed when less than a third of its life is left, and not before', () => {
  const certificate = issued()
  expect(whyRenew(certificate, needed, now + 59 * day)).toBe('')
  expect(whyRenew(certificate, needed, now + 61 * day)).toBe('its certificate ends on 2026-05-30')
  expect(whyRenew(certificate, needed, now + 91 * day)).toBe('its certificate ended on 2026-05-30')
})

test('a certificate of another address, another life or another CA is renewed, and so is none', () => {
  const certificate = issued()
  expect(whyRenew(null, needed, now)).toBe('it has no certificate')
  expect(whyRenew(certificate, { ...needed, address: '127.80.0.2' }, now)).toBe(
    'its certificate is for another address',
  )
  expect(whyRenew(certificate, { ...needed, days: 30 }, now)).toBe('its certificate is not for 30 days')
  const authority = new Authority(new Secrets(Buffer.alloc(32, 8)), 'shop').certificate
  expect(whyRenew(certificate, { ...needed, authority }, now)).toBe('its certificate is of another CA')
})

test('what is no certificate is taken for none', () => {
  expect(certificateIn('')).toBe(null)
  expect(certificateIn('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')).toBe(null)
})
