import type { Tls } from '../inputs.ts'
import { adminRole, replicationRole } from '../postgres/names.ts'

/** Where the machines of a database are. */
const hosts = '127.0.0.0/8'

/** Lets replicas follow a server. */
const followRule = (by: Way) => `${by} replication ${replicationRole} ${hosts} scram-sha-256`

/** `hostssl`: a client that comes without TLS gets no answer. */
type Way = 'host' | 'hostssl'

/** The rule that lets replicas in, where these rules lack it; undefined where they have it. */
export function missingFollowRule(rules: string): string | undefined {
  const by = wayIn(rules)
  return rules.includes(followRule(by)) ? undefined : followRule(by)
}

/** By which way clients come in with these rules: one that is written anew keeps to it. */
export const wayIn = (rules: string): Way => (/^hostssl /m.test(rules) ? 'hostssl' : 'host')

export const wayOf = (tls: Tls | undefined): Way => (tls?.mode === 'required' ? 'hostssl' : 'host')

/**
 * The admin role is root of the machine, on the server's own socket; clients of the network are not
 * asked for a password even.
 */
const admin = [
  `local all ${adminRole} peer map=${adminRole}`,
  `host all ${adminRole} all reject`,
  `host replication ${adminRole} all reject`,
]

const clients = (by: Way) => ['local all all scram-sha-256', `${by} all all 0.0.0.0/0 scram-sha-256`]

/** `pg_ident.conf`: which user of the machine may be the admin role. */
export const identities = `${adminRole} root ${adminRole}\n`

/**
 * `pg_hba.conf`: who may come in, and how. Of the same name the first line counts.
 *
 * @param to `clients`: every role, with its password; `servers`: replicas and other nodes, no clients; `peers`: other
 * nodes alone; `none`: Remodel alone.
 */
export function accessRules(to: 'clients' | 'peers' | 'servers' | 'none', by: Way): string {
  if (to === 'none') return `${admin.join('\n')}\n`
  return [
    ...admin,
    ...(to === 'peers' ? [] : [followRule(by)]),
    `${by} all ${replicationRole} ${hosts} scram-sha-256`,
    ...(to === 'clients' ? clients(by) : ['host all all 0.0.0.0/0 reject']),
    '',
  ].join('\n')
}
