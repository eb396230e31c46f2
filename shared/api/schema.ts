import { z } from 'zod'
import { Json } from '../model/material.ts'
import { Order } from '../model/order.ts'
import { Plan, PlanState, RemodelState } from '../model/plan.ts'
import { Verdict } from '../model/verdict.ts'
import { Release, Stemcell } from '../release/release.ts'

/** The schemas of the HTTP API: what the planner serves and the CLI reads. Times are milliseconds since the epoch. */

export const Problem = z.object({
  /** `urn:remodel:<code>` */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  faults: z
    .array(
      z.object({
        file: z.string().optional(),
        line: z.number().optional(),
        column: z.number().optional(),
        path: z.string().optional(),
        message: z.string(),
        found: z.string().optional(),
        allowed: z.string().optional(),
        suggestion: z.string().optional(),
      }),
    )
    .default([]),
  details: z.record(z.string(), z.unknown()).default({}),
})
export type Problem = z.infer<typeof Problem>

export const Info = z.object({
  name: z.literal('remodel'),
  version: z.string(),
  planner: z.string(),
  kinds: z.array(z.string()),
  /** What an operator should see to soon: a disk that is nearly full. */
  warnings: z.array(z.string()),
})
export type Info = z.infer<typeof Info>

export const PlanRequest = Order
export type PlanRequest = z.input<typeof PlanRequest>

/** Facts of a plan that change while it runs. */
export const PlanStatus = z.object({
  id: z.string(),
  deployment: z.string(),
  kind: z.string(),
  state: PlanState,
  createdAt: z.number(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  counts: z.object({ total: z.int(), done: z.int(), failed: z.int(), skipped: z.int(), running: z.int() }),
  /** The root causes, each once, with the last lines of the failing log. */
  errors: z.array(z.object({ remodel: z.string(), code: z.string(), message: z.string(), log: z.string().optional() })),
  /** Root causes beyond the first hundred. */
  moreErrors: z.number().default(0),
  /** Of a plan that is parked: what it waits for, and since when. */
  parked: z.object({ on: z.string(), since: z.number() }).nullable().default(null),
  /** Of a plan that is done: what the world looked like soon afterwards. Null before, and where the next plan came first. */
  verdict: Verdict.nullable().default(null),
})
export type PlanStatus = z.infer<typeof PlanStatus>

/** What a remodel waits for; empty where it runs or is settled. `parked`: what all of its plan waits for. */
export const Why = z.object({
  remodel: z.string(),
  state: RemodelState,
  waitsFor: z.array(z.string()),
  parked: PlanStatus.shape.parked,
})
export type Why = z.infer<typeof Why>

/** What operators stored for plans to use. */
export const Config = z.object({ type: z.enum(['cloud', 'runtime']), name: z.string(), content: z.string() })
export type Config = z.infer<typeof Config>

export const RemodelStatus = z.object({
  id: z.string(),
  state: RemodelState,
  attempt: z.int(),
  /** The number of its newest job on its queue. */
  release: z.int().default(1),
  fence: z.int(),
  worker: z.string().nullable(),
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  /** What it waits for while it is `waiting`; null for an approval. */
  waitsFor: z.string().nullable().default(null),
})
export type RemodelStatus = z.infer<typeof RemodelStatus>

/** A plan's packages at the moment of asking: beside the plan, no part of it. */
export const Compiling = z.object({
  /** So many packages that the plan needs are compiled already. */
  hits: z.int(),
  /** Those that the plan would still see to. */
  packages: z.array(
    z.object({
      remodel: z.string(),
      name: z.string(),
      key: z.string(),
      /** `hit`: compiled since the plan was drawn; `join`: somebody else compiles it; `compile`: this plan does. */
      how: z.enum(['hit', 'join', 'compile']),
      /** The deployment it is compiled for; null where nobody has asked for it yet. */
      for: z.string().nullable(),
      /** When that began; null where it stands in the queue. */
      since: z.number().nullable(),
      /** How long it took the last time, or, where it is not `measured`, what others usually take. */
      estimateMs: z.number(),
      measured: z.boolean(),
      /** It was measured with this very source, not with another one of the same name. */
      sameSource: z.boolean().default(false),
    }),
  ),
  /** At most so many at once. */
  workers: z.int(),
  /** The longest chain of packages that wait for each other. */
  longestMs: z.number(),
  /** All of them, played through with so many workers, the longest remaining path first. */
  estimateMs: z.number(),
})
export type Compiling = z.infer<typeof Compiling>

export const PlanView = z.object({
  plan: Plan,
  status: PlanStatus,
  remodels: z.array(RemodelStatus),
  /** Null where the plan needs no packages, or is over. */
  compiling: Compiling.nullable().default(null),
})
export type PlanView = z.infer<typeof PlanView>

/** Names one request of a caller: sent again with the same id, because its answer was lost, it is answered as it was. */
export const RequestId = z.string().regex(/^[\w-]{1,100}$/, 'must be 1 to 100 letters, digits, dashes and underscores')

export const ApplyRequest = z.strictObject({
  id: RequestId.optional(),
  /** Who wants it, for the lock; shown to whoever is refused. */
  holder: z.string().default('api'),
  message: z.string().default(''),
  /** Wait this long for the deployment's lock instead of being refused at once. */
  waitSeconds: z.number().nonnegative().default(0),
})
export type ApplyRequest = z.input<typeof ApplyRequest>

/** One line of a deployment's history. `seq` has no gaps. */
export const Event = z.object({
  seq: z.int(),
  at: z.number(),
  type: z.enum([
    'plan.started',
    'plan.done',
    'plan.failed',
    'plan.cancelled',
    'plan.parked',
    'plan.cancelling',
    'remodel.started',
    'remodel.progress',
    'remodel.done',
    'remodel.failed',
    'remodel.retried',
    'remodel.waiting',
  ]),
  plan: z.string(),
  remodel: z.string().optional(),
  worker: z.string().optional(),
  attempt: z.int().optional(),
  fence: z.int().optional(),
  /** Phrase of a progress event, sentence of a failure. */
  message: z.string().optional(),
  code: z.string().optional(),
  log: z.string().optional(),
  durationMs: z.number().optional(),
  facts: z.record(z.string(), Json).optional(),
})
export type Event = z.infer<typeof Event>

export const Deployment = z.object({
  name: z.string(),
  kind: z.string(),
  materials: z.record(z.string(), z.int()),
  floorplanVersion: z.int(),
  lastPlan: PlanStatus.nullable(),
  lock: z.string().nullable(),
})
export type Deployment = z.infer<typeof Deployment>

/** A link of two nodes that carries nothing: why, and what a person may do about it. */
export const StoppedLink = z.object({
  from: z.string(),
  to: z.string(),
  why: z.string(),
  table: z.string().nullable(),
  key: z.string().nullable(),
  /** Statements, any of which makes the link go on, each with what it does. They are to be run on `to`. */
  repair: z.array(z.object({ statement: z.string(), meaning: z.string() })),
})
export type StoppedLink = z.infer<typeof StoppedLink>

/** What a server of a database says of itself now. Bytes are of its write-ahead log; null: it does not say. */
export const DatabaseServer = z.object({
  database: z.string(),
  port: z.int(),
  node: z.string(),
  host: z.string(),
  role: z.enum(['primary', 'replica']).nullable(),
  /** How much it has: what a primary wrote, what a replica received. */
  receivedBytes: z.number().nullable(),
  /** Of a replica: what it was sent and has not applied; null where it follows no server. */
  lagBytes: z.number().nullable(),
  /** Of a primary: the nodes that read from it, and what they have not confirmed. Seconds: null where they are not known. */
  peers: z.array(
    z.object({ node: z.string(), connected: z.boolean(), lagBytes: z.number(), lagSeconds: z.number().nullable() }),
  ),
  /** Of a primary: what it gets from other nodes no more, why, and the statements that repair it. */
  stopped: z.array(StoppedLink),
  /**
   * Of a primary whose log is archived: everything that was committed up to then is in the archive (milliseconds, by the server's clock;
   * null: nothing is yet). `late`: something has been waiting for long; of a database that nobody writes to that is never so.
   */
  archive: z.object({ archivedAt: z.number().nullable(), late: z.boolean() }).nullable(),
  /** As it says itself: `18.1`. */
  version: z.string().nullable(),
  /** Milliseconds since the epoch, by its own clock. */
  startedAt: z.number().nullable(),
  /** Of a primary: sessions whose commit waits for a replica. */
  waitingCommits: z.int().nullable(),
  /** Readers that it keeps its log for, and how much of it: a server, a node, or the archive. */
  slots: z.array(z.object({ reader: z.string(), connected: z.boolean(), keptBytes: z.number() })),
  /** Where its data and its log are: of two disks the one with less left. */
  disk: z.object({ freeBytes: z.number(), totalBytes: z.number() }).nullable(),
  /** Directories on its disk with data that was put aside, as it had more than the primary it was copied from. */
  kept: z.array(z.string()),
  /** It lets no client in: `added`: its node is being added; else its node was to go, or is being opened. Empty: it does. */
  closed: z.string().default(''),
  /** How clients come in encrypted; `ends`: when its certificate does; `ca`: the certificate of the CA, PEM. Null: not at all. */
  tls: z
    .object({
      mode: z.enum(['on', 'required']),
      begins: z.number().nullable(),
      ends: z.number().nullable(),
      ca: z.string().nullable(),
    })
    .nullable()
    .default(null),
})
export type DatabaseServer = z.infer<typeof DatabaseServer>

export const Instance = z.object({
  instance: z.string(),
  az: z.string().nullable(),
  addresses: z.array(z.string()),
  vm: z.string().nullable(),
  stemcell: z.string().nullable(),
  /** `running`, `failing`, `stopped`, `unresponsive`, `missing`. */
  state: z.string(),
  processes: z.array(z.object({ name: z.string(), state: z.string(), uptimeMs: z.number(), restarts: z.int() })),
  disk: z.string().nullable(),
  /** Of kind `database` only. */
  database: DatabaseServer.optional(),
})
export type Instance = z.infer<typeof Instance>

export const Lock = z.object({
  id: z.string(),
  resource: z.string(),
  holder: z.string(),
  since: z.number(),
  plan: z.string().nullable(),
  message: z.string(),
})
export type Lock = z.infer<typeof Lock>

export const ExecRequest = z.strictObject({
  argv: z.array(z.string()).min(1),
  timeoutSeconds: z.number().positive().default(60),
})
export const StatementsRequest = z.strictObject({
  sql: z.string().min(1),
  nodes: z.array(z.string()).default([]),
})
export const ExecResponse = z.object({ exitCode: z.int().nullable(), stdout: z.string(), stderr: z.string() })
export const LogsResponse = z.object({
  files: z.array(z.object({ path: z.string(), content: z.string() })),
  /** Given as `after`, the next answer has what was written since. */
  next: z.string(),
})

/** A base backup of a database's node. Milliseconds since the epoch, by the server's clock. */
export const Backup = z.object({
  id: z.string(),
  node: z.string(),
  /** History of one set of data; another begins where a node is restored. */
  line: z.string(),
  /** Any time between these two can be restored. `until` null: the log that makes it whole is not there. */
  from: z.number(),
  until: z.number().nullable(),
  /** Where it ends in the server's log, and the first transaction that it does not have. */
  stop: z.string(),
  nextXid: z.string(),
  dataBytes: z.number(),
  /** What it takes in the blobstore: the backup, and the log behind it up to the next one. */
  bytes: z.number(),
  logBytes: z.number(),
})
export type Backup = z.infer<typeof Backup>

/** `uploadedAt` is null of releases that were uploaded before it was kept. */
export const ListedRelease = Release.extend({ uploadedAt: z.number().nullable().default(null) })
export type ListedRelease = z.infer<typeof ListedRelease>

/** A release, and by package the stemcells (`<os>/<version>`) that it is compiled for. */
export const InspectedRelease = z.object({ release: Release, compiled: z.record(z.string(), z.array(z.string())) })
export type InspectedRelease = z.infer<typeof InspectedRelease>

/** A release that a deployment runs, and which of its jobs. */
export const UsedRelease = z.object({ name: z.string(), version: z.string(), jobs: z.array(z.string()) })
export type UsedRelease = z.infer<typeof UsedRelease>

export const CleanRequest = z.strictObject({
  /** Also releases and compiled packages that no deployment uses. */
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})
export type CleanRequest = z.input<typeof CleanRequest>

/** What went, or in a dry run would go. `kept` counts the blobs that stay. */
export const Cleaned = z.object({
  releases: z.array(z.string()),
  compiled: z.int(),
  blobs: z.int(),
  bytes: z.int(),
  kept: z.int(),
})
export type Cleaned = z.infer<typeof Cleaned>

export const CheckRequest = z.strictObject({ rebuildPercent: z.number().positive().max(100) })
export type CheckRequest = z.input<typeof CheckRequest>

/** Packages that are compiled a second time. `other`: something else came out; `failed`: nothing did. */
export const Check = z.object({
  id: z.string(),
  packages: z.array(
    z.object({
      package: z.string(),
      key: z.string(),
      stemcell: z.string(),
      state: z.enum(['open', 'same', 'other', 'failed']),
      /** In use, and stays so. */
      digest: z.string(),
      rebuilt: z.string().optional(),
      /** The first file that differs, and how. */
      difference: z.object({ path: z.string(), what: z.string() }).optional(),
      message: z.string().optional(),
      log: z.string().optional(),
    }),
  ),
})
export type Check = z.infer<typeof Check>

export { Release, Stemcell }

/** Where a browser gets in, once: a path of the planner. */
export const BoardKey = z.object({ path: z.string() })
export type BoardKey = z.infer<typeof BoardKey>
