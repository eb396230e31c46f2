import { z } from 'zod'
import { inVersion } from '../../shared/model/input-version.ts'
import { Attributes } from '../../shared/model/material.ts'
import { layout } from '../../shared/provider/layout.ts'
import { Target } from './archive/chain.ts'
import { Commits } from './postgres/quorum.ts'

/** What the planner's and the assembler's half of the `database` kind agree on. */

/** Where a server writes its log, on its machine. */
export const serverLog = `${layout.store}/postgres/postgres.log`

/** One PostgreSQL server and the machine it is on. */
export const Member = z.object({
  instance: z.string(),
  vm: z.string(),
  address: z.string(),
  port: z.number(),
})
export type Member = z.infer<typeof Member>

/** Node -> its servers. Which of them takes writes is asked when something is done. */
export const Members = z.record(z.string(), z.array(Member))
export type Members = z.infer<typeof Members>

/** `host/<id>`: a machine with a disk for its databases. */
export const HostAttributes = z.object({
  vm: z.string(),
  disk: z.string(),
  address: z.string(),
  disk_mib: z.number(),
})
export type HostAttributes = z.infer<typeof HostAttributes>

export const User = z.object({
  username: z.string(),
  /**
   * Digest of the blob with what PostgreSQL stores of the password; empty: it has none, and comes in no
   * way that asks for one.
   */
  verifier: z.string(),
  attributes: z.array(z.string()),
})
export type User = z.infer<typeof User>

/**
 * Rules of today: the admin role comes in through its machine, servers follow each other with a password, and no client
 * comes in without one; roles have what the document gives them and nothing else.
 */
export const accessRulesOf = (key: string) => `3 ${key}`.trimEnd()

/** How clients come to a server, and for how long its certificates are. `required`: no client comes in without TLS. */
export const Tls = z.object({ mode: z.enum(['on', 'required']), days: z.number() })
export type Tls = z.infer<typeof Tls>

/** What is recorded of a server's certificate: when it began and ends, and the CA's own certificate. */
export const Certified = z.object({ from: z.number(), until: z.number(), ca: z.string() })

/** `instance/<id>`: a server. Paths, roles and slots are not here: they follow from these and from who is primary. */
export const InstanceAttributes = z.object({
  node: z.string(),
  host_id: z.string(),
  vm: z.string(),
  address: z.string(),
  port: z.number(),
  database_name: z.string(),
  settings: z.record(z.string(), z.string()),
  users: z.array(User),
  /**
   * By which rules clients come in (`accessRules`) and servers to each other: one that was set up by
   * others is set up again.
   */
  access: z.string().default(''),
  synchronous: z.boolean(),
  /** Its log is archived; `keep`: how many base backups of the node stay, the newest; null: all of them. */
  backup: z.object({ keep: z.number().nullable() }).optional(),
  /** Absent: it takes no TLS. */
  tls: Tls.optional(),
})
export type InstanceAttributes = z.infer<typeof InstanceAttributes>

/** A resource of the operations, as a step records it: `attributes` of the material, and the rest in its `meta`. */
const Resource = z.looseObject({
  identifier: z.object({ type: z.string(), id: z.string() }),
  attributes: Attributes,
})
export type Resource = z.infer<typeof Resource>

/** Where the data of a restored node comes from, and which point of its history it is brought to. */
export const Restore = z.object({
  /** Of the request: what was restored by it once is not restored by it again. */
  key: z.string(),
  deployment: z.string(),
  node: z.string(),
  line: z.string(),
  backup: z.string(),
  target: Target,
  /** Name of the database in the backup. */
  database: z.string(),
  /**
   * Other nodes: their slots are there before anybody can write, so they miss nothing that is
   * written after the restore.
   */
  peers: z.array(z.string()),
})
export type Restore = z.infer<typeof Restore>

/** Floorplan: the node, which is the name of the material, has been restored; attributes are `RestoredAttributes`. */
export const restoredType = 'restored'
export const restoredMaterial = (node: string) => `${restoredType}/${node}`
export const RestoredAttributes = z.object({ key: z.string(), primary: z.string() })

const base = { event: z.enum(['create', 'update', 'delete']), resource: Resource, deployment: z.string() }
const between = { ...base, provider: z.string(), subscriber: z.string(), database: z.string(), members: Members }

/** A new primary for a node that has none. */
const election = {
  ...base,
  node: z.string(),
  members: z.array(Member),
  /** Who takes over where others have no more of the log; of those that do, the one that has most. */
  to: z.string(),
  /** All that may take over: those that stay in the node. */
  candidates: z.array(z.string()),
  /** Servers that are silent while their machine exists. */
  wake: z.array(z.string()),
  commits: Commits,
  /** Slots that other nodes read from. */
  slots: z.array(z.string()),
  acceptLoss: z.boolean(),
  synchronous: z.boolean(),
  /** Who reads from the node, and may have read more than the new primary has. */
  database: z.string().default(''),
  readers: Members.default({}),
}

export const inputs = {
  /** Nothing to do in the world: the record is the thing. */
  'note-resource': z.object(base),
  /**
   * `silent`: its machine stood and did not answer when this was planned: one that does not answer
   * is ended and made anew.
   */
  'create-host': inVersion(2, z.object({ ...base, host: HostAttributes, silent: z.boolean().default(false) })),
  'delete-host': z.object({ ...base, host: HostAttributes }),
  /** It is asked, before anything is changed, whether a server could start with these settings. */
  rehearse: z.object({ deployment: z.string(), instance: InstanceAttributes }),
  'set-up-instance': inVersion(
    4,
    z.object({
      ...base,
      instance: InstanceAttributes,
      member: Member,
      /**
       * `found`: a first primary, with an empty cluster. `keep`: data must be there already. `copy`: the first
       * instance of a node that is filled from `source`: follows it until it is populated. `follow`: a replica of
       * `upstream`, copied from the primary of `source` where its data cannot follow. `restore`: a first primary
       * with data from the archive.
       */
      role: z.enum(['found', 'keep', 'copy', 'follow', 'restore']),
      restore: Restore.nullable(),
      /** Users that its node was set up with and is to have no more. */
      gone: z.array(z.string()).default([]),
      /** Its node is being added: a server that is made lets no client in before `open-node`. */
      closed: z.boolean().default(false),
      source: z.array(Member),
      upstream: z.array(Member),
    }),
  ),
  'remove-instance': inVersion(
    2,
    z.object({
      ...base,
      member: Member,
      peers: z.array(Member),
      /** Its data is kept beside until the node is restored. */
      aside: z.boolean(),
      /** Machine and disk go behind it: one that does not answer is ended. */
      machineGoes: z.boolean().default(false),
    }),
  ),
  /** Replicas, their slots and what commits wait for, as the node's members ask for. */
  'arrange-node': inVersion(
    2,
    z.object({
      ...base,
      node: z.string(),
      members: z.array(Member),
      synchronous: z.boolean(),
      /** It follows its source until it is populated. */
      copied: z.boolean(),
      /**
       * Members that a later remodel of the plan sets up: one that does not follow yet is left to the
       * arrangement behind that.
       */
      later: z.array(z.string()).default([]),
      /**
       * Logical slots of the node whose subscriptions a later remodel of the plan sets up, which waits for
       * their copies: one that has no reader till then cannot be copied.
       */
      unread: z.array(z.string()).default([]),
      /** Physical slots of the deployment that stay; others of ours are of instances that are gone. */
      keep: z.array(z.string()),
    }),
  ),
  'set-up-database': inVersion(
    3,
    z.object({
      ...base,
      database: z.string(),
      /** What it is called in a restored node, where that is another name. */
      renameFrom: z.string(),
      owner: z.string(),
      script: z.array(z.string()),
      extensions: z.array(z.string()).default([]),
      /** Those that its document had and has no more: what rests on one keeps it. */
      goneExtensions: z.array(z.string()).default([]),
      members: z.array(Member),
      copied: z.boolean(),
      /** The node whose numbers its sequences draw; null where there is no other node. */
      shareOf: z.string().nullable().default(null),
    }),
  ),
  /** Sequences of a node draw numbers that no other node draws. */
  'share-sequences': z.object({
    deployment: z.string(),
    node: z.string(),
    database: z.string(),
    members: z.array(Member),
  }),
  /**
   * `loss`: a subscriber whose slot was lost may go on without what was written since. `read`: it has read from one, as
   * was recorded. `anew`: it was restored, and a slot that was kept meanwhile gives way to a new one.
   */
  'create-slot': inVersion(
    3,
    z.object({
      ...between,
      loss: z.boolean().default(false),
      read: z.boolean().default(false),
      anew: z.boolean().default(false),
    }),
  ),
  /**
   * `going`: the node that it is on leaves as a whole: nothing is waited for there. `kept`: it stays while one of
   * the nodes is restored.
   */
  'delete-slot': inVersion(
    3,
    z.object({ ...between, going: z.boolean().default(false), kept: z.boolean().default(false) }),
  ),
  /** `read`: it has read from its slot, as was recorded, and may not do so twice. */
  'set-up-subscription': inVersion(
    2,
    z.object({ ...between, enabled: z.boolean(), copied: z.boolean(), read: z.boolean().default(false) }),
  ),
  /** `keep`: both nodes stay, and the link is made anew. */
  'delete-subscription': inVersion(
    3,
    z.object({ ...between, going: z.boolean().default(false), keep: z.boolean().default(false) }),
  ),
  /** All that a node acknowledged is on the others before it goes. `loss`: what is not may be lost. */
  'drain-node': z.object({
    deployment: z.string(),
    node: z.string(),
    database: z.string(),
    members: z.array(Member),
    peers: Members,
    loss: z.boolean(),
  }),
  /** A node goes on under another name, with its servers, their data and its links. */
  'rename-node': z.object({
    ...base,
    from: z.string(),
    to: z.string(),
    database: z.string(),
    /** Its servers, under their new names. */
    members: z.array(Member),
    /** Those of all other nodes. */
    peers: Members,
    /** Ids of what is recorded of it, under the old name. */
    materials: z.array(z.string()),
    synchronous: z.boolean(),
    /** Physical slots of the deployment that stay. */
    keep: z.array(z.string()),
  }),
  /** Clients come to a node that was added. `peers`: the other nodes, which have slots on it by then. */
  'open-node': z.object({
    ...base,
    node: z.string(),
    database: z.string(),
    members: z.array(Member),
    peers: z.array(z.string()),
  }),
  /** Version 3: what it starts with settings of its own stays closed to clients. Version 4: certificates. */
  'populate-node': inVersion(4, z.object({ ...between, instances: z.record(z.string(), InstanceAttributes) })),
  'send-mark': z.object(between),
  'await-mark': z.object({ ...between, mark: z.string() }),
  'read-position': z.object(between),
  'advance-slot': z.object({ ...between, position: z.string() }),
  'advance-origin': z.object({ ...between, position: z.string() }),
  /** Hands the primary role over; nothing is lost. */
  'switch-over': z.object({
    ...base,
    node: z.string(),
    members: z.array(Member),
    to: z.string(),
    synchronous: z.boolean(),
  }),
  /**
   * Makes another server the primary although the old one is gone; whatever is left of it is ended first. `full`: its
   * disk was full when this was planned, so that it is ended also where it answers, as long as that is so.
   */
  'fail-over': inVersion(4, z.object({ ...election, lost: z.array(Member), full: z.boolean().default(false) })),
  /** Makes one of the servers the primary of a node of which all are replicas. */
  'promote-node': inVersion(2, z.object(election)),
  /**
   * `started`: when it was started, as it says itself, when this was planned; null: it did not answer. Since then it
   * was started again: done.
   */
  'restart-server': z.object({
    deployment: z.string(),
    node: z.string(),
    member: Member,
    others: z.array(Member),
    started: z.string().nullable(),
    /** It is waited for until it follows again, where it is a replica. */
    follows: z.boolean(),
  }),
  /** A base backup of the node's primary, and the log that belongs to it, in the blobstore. */
  'back-up-node': z.object({
    deployment: z.string(),
    node: z.string(),
    database: z.string(),
    members: z.array(Member),
    keep: z.number().nullable(),
  }),
  /**
   * Before anything is taken down: all that a restore needs is in the archive. `members`: of the source,
   * where it can still write.
   */
  'prepare-restore': z.object({ restore: Restore, members: z.array(Member) }),
  /** What a node has written up to now; its log that is written to is ended. */
  'archive-log': z.object({ deployment: z.string(), node: z.string(), members: z.array(Member) }),
} as const

export type StepName = keyof typeof inputs
