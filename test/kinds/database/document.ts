/** A database of a test's own: hosts `a`, `b`, ... at 127.<net>.0.1, .2, ... */
export interface Wish {
  name?: string
  net: number
  /** Node -> letters of its hosts: `{ n1: 'ab' }`. */
  nodes: Record<string, string>
  source?: Record<string, string>
  primary?: Record<string, string>
  settings?: Record<string, string | number>
  /** Commits wait for a replica, as they do unless this says otherwise. */
  synchronous?: boolean
  script?: string[]
  extensions?: string[]
  tls?: { mode: 'off' | 'on' | 'required'; certificate_days?: number }
  /** How many base backups of a node are kept. */
  keep?: number
  /** Node, or `all` -> its `restore_config`. */
  restore?: Record<string, object>
  /** Users beside those of every document. */
  users?: readonly { username: string; password: string; attributes: readonly string[] }[]
}

/** `entry` has no key: a row that came twice would stand there twice. */
export const tables = [
  'CREATE TABLE item (id text PRIMARY KEY, node text NOT NULL, at timestamptz DEFAULT now())',
  'CREATE TABLE entry (id text NOT NULL, node text NOT NULL)',
]

/** Of the users of every test's document. */
export const passwordOf = (user: string) => `${user} of a test`

export function documentOf({
  name = 'shop',
  net,
  nodes,
  source = {},
  primary = {},
  settings = {},
  synchronous = true,
  script = tables,
  extensions,
  tls,
  keep,
  restore = {},
  users = [],
}: Wish): string {
  const letters = [...new Set(Object.values(nodes).join(''))].sort()
  return JSON.stringify(
    {
      kind: 'database',
      name,
      database_name: 'shop',
      hosts: letters.map((letter) => ({ id: letter, address: addressOf(net, letter) })),
      nodes: Object.entries(nodes).map(([node, hosts]) => ({
        name: node,
        host_ids: [...hosts],
        ...(source[node] === undefined ? {} : { source_node: source[node] }),
        ...(primary[node] === undefined ? {} : { primary_host_id: primary[node] }),
        ...(restore[node] === undefined ? {} : { restore_config: restore[node] }),
      })),
      database_users: [
        { username: 'app', password: passwordOf('app'), db_owner: true },
        // Tests look at what only a superuser sees, and Remodel's own role takes no client of the network.
        { username: 'tester', password: passwordOf('tester'), attributes: ['LOGIN', 'SUPERUSER'] },
        ...users,
      ],
      ...(keep === undefined ? {} : { backup_config: { repositories: [{ retention_full: keep }] } }),
      ...(restore.all === undefined ? {} : { restore_config: restore.all }),
      ...(synchronous ? {} : { synchronous_replication: false }),
      postgresql_conf: { shared_buffers: '16MB', max_connections: 60, ...settings },
      ...(extensions === undefined ? {} : { extensions }),
      ...(tls === undefined ? {} : { tls }),
      scripts: { post_database_create: script },
    },
    null,
    2,
  )
}

export const addressOf = (net: number, letter: string) => `127.${net}.0.${letter.charCodeAt(0) - 96}`
