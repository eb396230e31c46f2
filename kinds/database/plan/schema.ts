import { z } from 'zod'

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be up to 40 lower-case letters, digits and dashes')
const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_$-]{0,30}$/, 'must be 1 to 31 letters, digits, _, $ and -')
const extension = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be the name of an extension: pg_trgm')
const port = z.int().min(1).max(65535)
/** Values as people write them in YAML; the server's own parser judges them. */
const settings = z.record(
  z.string().regex(/^[a-z_][a-z0-9_.]*$/i, 'must be the name of a setting'),
  z.union([z.string().refine((text) => !text.includes('\0'), 'must hold no NUL'), z.number(), z.boolean()]),
)

export const Host = z.strictObject({
  id: name,
  address: z.ipv4(),
  disk_mib: z.int().positive().default(1024),
})
export type Host = z.infer<typeof Host>

const nodeName = z.string().regex(/^n[0-9]+$/, 'must be n followed by digits')

/** What a target must look like, by its type. */
const targets: Record<string, { form: RegExp; like: string }> = {
  time: {
    form: /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(Z|[+-]\d\d(:?\d\d)?)$/,
    like: 'a time with its zone: 2026-01-31T12:30:00Z',
  },
  lsn: { form: /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/, like: 'a position in the log: 0/3000028' },
  // The largest that the server can read has 19 digits whole.
  xid: { form: /^\d{1,19}$/, like: 'the number of a transaction: 742' },
}

/** Where a restore ends: pgEdge's names, which are pgBackRest's. */
const RestoreOptions = z
  .strictObject({
    type: z.enum(['default', 'immediate', 'time', 'lsn', 'xid']).default('default'),
    target: z.union([z.string(), z.number()]).transform(String).optional(),
    /** Which backup it begins with; without it the newest before the target. */
    set: z.string().optional(),
    /** Stops before the target instead of behind it. */
    'target-exclusive': z.boolean().default(false),
  })
  .superRefine(({ type, target }, context) => {
    const wanted = targets[type]
    const wrong = (message: string) => context.addIssue({ code: 'custom', path: ['target'], message, input: target })
    if (!wanted && target !== undefined) wrong(`type ${type} takes no target`)
    if (wanted && !(target !== undefined && wanted.form.test(target))) {
      wrong(`must be ${wanted.like}`)
    }
  })

const RestoreConfig = z.strictObject({
  /** Deployment whose archive it is; without it this one's. */
  source_database_id: name.optional(),
  source_node_name: nodeName.optional(),
  /** What the database was called there. */
  source_database_name: identifier.optional(),
  restore_options: RestoreOptions.prefault({}),
})
export type RestoreConfig = z.infer<typeof RestoreConfig>

const BackupConfig = z.strictObject({
  repositories: z
    .array(
      z.strictObject({
        id: name.optional(),
        /** Remodel's own blobstore. */
        type: z.literal('remodel').default('remodel'),
        /** How many base backups of a node stay, the newest; without it all of them. */
        retention_full: z.int().positive().optional(),
      }),
    )
    .length(1),
})
export type BackupConfig = z.infer<typeof BackupConfig>

const yes = 'on'
/** YAML of another version reads these words as booleans. */
const TlsMode = z.preprocess(
  (given) => (typeof given === 'boolean' ? (given ? yes : 'off') : given),
  z.enum(['off', yes, 'required']),
)

/** Encrypted connections, with certificates of the deployment's own CA. */
const Tls = z.strictObject({
  /** `on`: clients may; `required`: clients must. Servers come to each other by TLS in both. */
  mode: TlsMode.default(yes),
  /** For how long a server's certificate is; a deploy renews one of which less than a third is left. */
  certificate_days: z.int().min(1).max(3650).default(365),
})

const Node = z.strictObject({
  name: nodeName,
  host_ids: z.array(name).min(1),
  source_node: z.string().default(''),
  backup_config: BackupConfig.optional(),
  restore_config: RestoreConfig.optional(),
  /** The host whose instance is to take writes; without it the present primary. */
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
        password: z
          .string()
          .min(1)
          .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be text without NUL and half characters')
          .optional(),
        db_owner: z.boolean().default(false),
        attributes: z.array(z.enum(['LOGIN', 'CREATEDB', 'CREATEROLE', 'REPLICATION', 'SUPERUSER'])).default(['LOGIN']),
      }),
    )
    .max(16)
    .default([]),
  postgresql_conf: settings.default({}),
  /** Of PostgreSQL: made in the database on every node. */
  extensions: z.array(extension).max(64).default([]),
  /** For all nodes that have none of their own. */
  backup_config: BackupConfig.optional(),
  restore_config: RestoreConfig.optional(),
  tls: Tls.optional(),
  /** Commits wait until a replica has them, so that losing a primary's machine loses nothing that was acknowledged. */
  synchronous_replication: z.boolean().default(true),
  node_update_strategy: z.enum(['rolling', 'concurrent']).default('rolling'),
  force_update: z.boolean().default(false),
  data_loss: z.boolean().default(false),
  /** SQL that runs once on every node when the database is made. */
  scripts: z.strictObject({ post_database_create: z.array(z.string()).default([]) }).prefault({}),
})
export type Document = z.infer<typeof Document>
