import { X509Certificate } from 'node:crypto'

const day = 24 * 3_600_000

/** What a certificate of a server must be good for. */
export interface Needed {
  address: string
  days: number
  /** Certificate of the authority that it must be of; absent: that is not asked. */
  authority?: string
}

/** The first certificate of a text, which may hold its key too; null where there is none. */
export function certificateIn(text: string): X509Certificate | null {
  const [pem] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? []
  if (pem === undefined) return null
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

/** Why a server needs another certificate than this one, as the rest of a sentence; empty where it does not. */
export function whyRenew(certificate: X509Certificate | null, needed: Needed, now: number): string {
  if (certificate === null) return 'it has no certificate'
  const [from, until] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  if (certificate.checkIP(needed.address) === undefined) return 'its certificate is for another address'
  if (Math.round((until - from) / day) !== needed.days) return `its certificate is not for ${needed.days} days`
  const of = needed.authority === undefined ? null : new X509Certificate(needed.authority)
  if (of && !(certificate.checkIssued(of) && certificate.verify(of.publicKey)))
    return 'its certificate is of another CA'
  if (now > until) return `its certificate ended on ${dayOf(until)}`
  return isDue(from, until, now) ? `its certificate ends on ${dayOf(until)}` : ''
}

/** Less than a third of its life is left. */
export const isDue = (from: number, until: number, now: number) => now > until - (until - from) / 3

const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10)
