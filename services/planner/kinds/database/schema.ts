import { z } from 'zod'

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be up to 40 lower-case letters, digits and dashes')
const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_$-]{0,30}$/, 'must be 1 to 31 letters, digits, _, $ and -')
const port = z.int().min(1).max(65535)
/** Values as people write them in YAML; the server's own parser judges them. */
const settings = z.record(
  z.string().regex(/^[a-z_][a-z0-9_.]*$/i, 'must be the name of a setting'),
  z.union([z.string(), z.number(), z.boolean()]),
)

export const Host = z.strictObject({
  id: name,
  address: z.ipv4(),
  disk_mib: z.int().positive().default(1024),
})
export type Host = z.infer<typeof Host>

const RestoreConfig = z.strictObject({
  source_database_name: identifier.optional(),
  source_node_name: z.string().optional(),
  restore_options: z.record(z.string(), z.string()).default({}),
})

const Node = z.strictObject({
  name: z.string().regex(/^n[0-9]+$/, 'must be n followed by digits'),
  host_ids: z.array(name).min(1),
  source_node: z.string().default(''),
  restore_config: RestoreConfig.optional(),
  /** The host whose instance is to take writes; without it whoever does. */
  primary_host_id: name.optional(),
  port: port.optional(),
  postgresql_conf: settings.default({}),
})

/** A database in pgEdge's shape (`reference: DatabaseSpec`), with the hosts it may use. */
export const Document = z.strictObject({
  kind: z.literal('database'),
  /** Name of the deployment; without it the name of the database. */
  name: name.optional(),
  database_name: identifier,
  port: port.default(5432),
  hosts: z.array(Host).optional(),
  nodes: z.array(Node).min(1).max(9),
  database_users: z
    .array(
      z.strictObject({
        username: identifier,
        password: z.string().min(1).optional(),
        db_owner: z.boolean().default(false),
        attributes: z.array(z.enum(['LOGIN', 'CREATEDB', 'CREATEROLE', 'REPLICATION', 'SUPERUSER'])).default(['LOGIN']),
      }),
    )
    .max(16)
    .default([]),
  postgresql_conf: settings.default({}),
  /** Commits wait until a replica has them, so that losing a primary's machine loses nothing that was acknowledged. */
  synchronous_replication: z.boolean().default(true),
  node_update_strategy: z.enum(['rolling', 'concurrent']).default('rolling'),
  force_update: z.boolean().default(false),
  data_loss: z.boolean().default(false),
  /** SQL that runs once on every node when the database is made. */
  scripts: z.strictObject({ post_database_create: z.array(z.string()).default([]) }).prefault({}),
})
export type Document = z.infer<typeof Document>
