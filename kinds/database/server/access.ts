import { adminRole, replicationRole } from '../postgres/names.ts'

/** Where the machines of a database are. */
const hosts = '127.0.0.0/8'

/** Lets replicas follow a server. */
export const followRule = `host replication ${replicationRole} ${hosts} scram-sha-256`

/** The admin role is root of the machine, on the server's own socket; clients of the network are not asked for a password even. */
const admin = [
  `local all ${adminRole} peer map=${adminRole}`,
  `host all ${adminRole} all reject`,
  `host replication ${adminRole} all reject`,
]

const clients = ['local all all scram-sha-256', 'host all all 0.0.0.0/0 scram-sha-256']

/** `pg_ident.conf`: which user of the machine may be the admin role. */
export const identities = `${adminRole} root ${adminRole}\n`

/**
 * `pg_hba.conf`: who may come in, and how. Of the same name the first line counts.
 *
 * @param to `clients`: every role, with its password; `servers`: replicas and other nodes, no clients; `peers`: other nodes alone;
 * `none`: Remodel alone.
 */
export function accessRules(to: 'clients' | 'peers' | 'servers' | 'none'): string {
  if (to === 'none') return `${admin.join('\n')}\n`
  return [
    ...admin,
    ...(to === 'peers' ? [] : [followRule]),
    `host all ${replicationRole} ${hosts} scram-sha-256`,
    ...(to === 'clients' ? clients : ['host all all 0.0.0.0/0 reject']),
    '',
  ].join('\n')
}
