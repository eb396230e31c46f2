import { createHash } from 'node:crypto'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'

/** What a certificate says, in the words of X.509 (RFC 5280), of which this file alone knows how they are written. */
export interface Content {
  serial: Uint8Array
  issuer: string
  subject: string
  from: Date
  until: Date
  authority: boolean
  hosts: readonly string[]
  addresses: readonly string[]
}

interface Body {
  certificate: TBSCertificate
  bytes: Uint8Array
}

const commonName = '2.5.4.3'
const ecdsaWithSha256 = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' })

/** `own`, `issuers`: public keys, as `SubjectPublicKeyInfo`. */
export function toBeSigned(content: Content, keys: { own: Uint8Array; issuers: Uint8Array }): Body {
  const certificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: positive(content.serial),
    signature: ecdsaWithSha256,
    issuer: named(content.issuer),
    validity: new Validity({ notBefore: content.from, notAfter: content.until }),
    subject: named(content.subject),
    subjectPublicKeyInfo: AsnConvert.parse(keys.own, SubjectPublicKeyInfo),
    extensions: new Extensions(extensionsOf(content, keys)),
  })
  return { certificate, bytes: new Uint8Array(AsnConvert.serialize(certificate)) }
}

/** PEM. */
export function encoded({ certificate }: Body, signature: Uint8Array): string {
  const whole = new Certificate({
    tbsCertificate: certificate,
    signatureAlgorithm: ecdsaWithSha256,
    signatureValue: buffer(signature),
  })
  const lines =
    Buffer.from(AsnConvert.serialize(whole))
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function extensionsOf(content: Content, { own, issuers }: { own: Uint8Array; issuers: Uint8Array }): Extension[] {
  const of = (id: string, value: unknown, critical = false) =>
    new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
  const ids = [
    of(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyId(own))),
    of(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyId(issuers)) })),
  ]
  if (content.authority) {
    const use = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign
    return [
      of(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
      of(id_ce_keyUsage, new KeyUsage(use), true),
      ...ids,
    ]
  }
  const names = new SubjectAlternativeName([
    ...content.hosts.map((name) => new GeneralName({ dNSName: name })),
    ...content.addresses.map((address) => new GeneralName({ iPAddress: address })),
  ])
  return [
    of(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
    of(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    of(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    of(id_ce_subjectAltName, names),
    ...ids,
  ]
}

function named(name: string): Name {
  const value = new AttributeValue({ utf8String: name })
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: commonName, value })])])
}

/** RFC 7093, method 1: the first 160 bits of a digest of the key. */
function keyId(key: Uint8Array): ArrayBuffer {
  return buffer(createHash('sha256').update(key).digest().subarray(0, 20))
}

/** At most 20 octets, not negative, and no octets that say nothing in front. */
function positive(serial: Uint8Array): ArrayBuffer {
  const bytes = Uint8Array.from(serial.subarray(0, 16))
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return buffer(bytes)
}

const buffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer
