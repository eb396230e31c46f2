import type { z } from 'zod'
import { Authority } from '../../../shared/certificates/authority.ts'
import { certificateIn, whyRenew } from '../../../shared/certificates/renewal.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { Secrets } from '../../../shared/runtime/secrets.ts'
import type { Certified, InstanceAttributes, Member } from '../inputs.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { servesTlsSql } from '../postgres/tls.ts'
import { owner, place } from './place.ts'
import { shell } from './shell.ts'

interface Of {
  secrets: Secrets
  deployment: string
}

const askMs = 3000

/** The CA's certificate lies on a machine: what runs there can check other servers. */
export async function writeAuthority(connection: Connection, { secrets, deployment }: Of): Promise<void> {
  const { certificate } = new Authority(secrets, deployment)
  if ((await textOf(connection, place.authority)) === certificate) return
  await replace(connection, place.authority, certificate)
}

/**
 * A key and a certificate for it, new where there is none or where the one that there is is not good for long.
 * Answers whether it is new.
 */
export async function ensureCertificate(
  connection: Connection,
  instance: InstanceAttributes,
  of: Of,
): Promise<boolean> {
  if (!instance.tls) return false
  await writeAuthority(connection, of)
  if ((await whyNotCertified(connection, instance, of)) === '') return false
  const { node, host_id, address, tls } = instance
  const { key, certificate } = new Authority(of.secrets, of.deployment).issue({
    name: `${node}-${host_id}`,
    hosts: [...new Set([host_id, node])],
    addresses: [address],
    days: tls.days,
  })
  await failpoint('ensure-certificate.issued')
  await replace(connection, place.certificate, `${key}${certificate}`)
  await failpoint('ensure-certificate.written')
  return true
}

/** Why a server needs another certificate; empty where it does not, or has none to have. */
export async function whyNotCertified(
  connection: Connection,
  { address, tls }: InstanceAttributes,
  { secrets, deployment }: Of,
): Promise<string> {
  if (!tls) return ''
  const { certificate: authority } = new Authority(secrets, deployment)
  const certificate = certificateIn(await textOf(connection, place.certificate))
  return whyRenew(certificate, { address, days: tls.days, authority }, Date.now())
}

/** Once no server runs with it. */
export async function forgetCertificate(connection: Connection, { tls }: InstanceAttributes): Promise<void> {
  if (!tls) await shell(connection, `rm -f ${place.certificate}`)
}

/** What is recorded of a server's certificate; nothing of its key. */
export async function certified(
  connection: Connection,
  { tls }: InstanceAttributes,
): Promise<{ certificate: z.infer<typeof Certified> } | undefined> {
  const certificate = tls ? certificateIn(await textOf(connection, place.certificate)) : null
  if (certificate === null) return undefined
  const { validFromDate: from, validToDate: until } = certificate
  return {
    certificate: { from: from.getTime(), until: until.getTime(), ca: await textOf(connection, place.authority) },
  }
}

/**
 * Whether those that come to these servers can insist on their certificates. Asked on the servers' own machines, when
 * it is to be used: while TLS comes or goes some have it and some do not. Servers that do not answer are not counted.
 */
export async function isVerifiable(machines: Machines, servers: readonly Member[]): Promise<boolean> {
  const answers = await Promise.all(servers.map((server) => servesTls(machines, server).catch(() => null)))
  return answers.includes(true) && !answers.includes(false)
}

async function servesTls(machines: Machines, server: Member): Promise<boolean> {
  const session = await openSession(machines, server, 'postgres', { timeoutMs: askMs })
  try {
    return (await session.value(servesTlsSql)) === true
  } finally {
    await session.close()
  }
}

async function textOf(connection: Connection, path: string): Promise<string> {
  return (await connection.read(path).catch(() => '')).toString()
}

/** Whole or not at all, and for the server alone to read. */
async function replace(connection: Connection, path: string, text: string): Promise<void> {
  await connection.write(`${path}.new`, text, 0o600)
  await shell(connection, `chown ${owner} ${path}.new; sync -f ${path}.new; mv ${path}.new ${path}`)
}
