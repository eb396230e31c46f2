/** One variable of the environment that holds a text: docs/use/settings.md is written from these. */
export interface TextVariable {
  readBy: string
  type: string
  /** In words; none where nothing is assumed. */
  unset?: string
  what: string
}

/**
 * Every variable of the core that holds no number; `settings.ts` has the others. Each is read where it is used, by the
 * code that knows what it may be; a test compares this list with the sources.
 */
export const texts: Readonly<Record<string, TextVariable>> = {
  REDIS_URL: {
    readBy: 'services, `up`, `env`',
    type: 'URL',
    unset: 'the address in `<home>/redis-url`, which `up` writes; else `redis://127.0.0.1:6379`',
    what: 'Redis: `rediss://` for TLS, `redis+sentinel://…` for a group, `redis+cluster://…` for a cluster ([Redis](operating.md#redis)). `up` starts no Redis where it is set',
  },
  REMODEL_PREFIX: {
    readBy: 'services',
    type: 'text',
    unset: '`remodel`',
    what: 'first part of every key, so that several Remodels share one Redis; each needs a home of its own. The keys of BullMQ begin with `{<prefix>}`',
  },
  REMODEL_HOME: {
    readBy: 'services, command',
    type: 'directory',
    unset: '`~/.remodel`',
    what: 'the home of one Remodel',
  },
  REMODEL_LISTEN: {
    readBy: 'planner, `up`',
    type: '`host:port`',
    unset: '`127.0.0.1:7070`',
    what: 'the address of the API; port 0 takes a free one',
  },
  REMODEL_HOSTS: {
    readBy: 'planner',
    type: 'names, comma separated',
    what: 'further names by which callers may address the planner: of a proxy, of this computer',
  },
  REMODEL_TOKEN: {
    readBy: 'planner, command',
    type: 'text of at least 32 characters',
    unset: 'the planner makes one in `<home>/token`',
    what: 'the token of callers over TCP. Needed to listen beyond this computer',
  },
  REMODEL_SITE: {
    readBy: 'assembler',
    type: 'text',
    what: 'serve the queue `assemble-<site>` instead of `assemble`, for kinds that use sites; `deployment` does not',
  },
  REMODEL_EXTENSIONS: {
    readBy: 'planner, assembler, command',
    type: 'paths, comma separated',
    what: 'modules of kinds of your own ([kinds](../design/kinds.md))',
  },
  REMODEL_BLOBSTORE: {
    readBy: 'services',
    type: 'URL',
    unset: 'blobs are in `<home>/blobs`',
    what: '`s3://bucket/prefix?endpoint=URL&region=R&path-style=true&multipart=false&checksum=false` ([releases](releases.md#where-blobs-are))',
  },
  AWS_REGION: {
    readBy: 'services',
    type: 'text',
    unset: '`us-east-1`',
    what: 'the region of the bucket where `REMODEL_BLOBSTORE` names none; the other `AWS_` variables give the keys',
  },
  REMODEL_LOG: {
    readBy: 'services',
    type: '`debug`, `info`, `warn`, `error`',
    unset: '`info`',
    what: 'level of the log',
  },
  REMODEL_ALLOW_WEAK_REDIS: {
    readBy: 'planner',
    type: '`1`',
    what: 'start on a Redis with weaker settings, with a warning',
  },
  REMODEL_URL: {
    readBy: 'command',
    type: 'URL',
    unset: 'the socket in the home, else the address that `up` wrote, else `http://127.0.0.1:7070`',
    what: 'address of the planner',
  },
  REMODEL_PLANNER: { readBy: 'command', type: 'URL', what: 'the older name of `REMODEL_URL`' },
  REMODEL_DEBUG: { readBy: 'command', type: '`1`', what: 'show where an error came from' },
  NO_COLOR: { readBy: 'command', type: 'any text', what: 'no colour' },
  XDG_CACHE_HOME: {
    readBy: 'command',
    type: 'directory',
    unset: '`~/.cache`',
    what: 'where compiled sources and blobs of offline plans are cached',
  },
  REMODEL_FAILPOINTS: {
    readBy: 'tests',
    type: '`name=what`, comma separated',
    what: 'kill, stop, fail or slow a process at a named point (`shared/runtime/failpoint.ts`)',
  },
  REMODEL_FAILPOINTS_ONCE: {
    readBy: 'tests',
    type: 'directory',
    what: 'failpoints that have fired are noted in it and do not fire again',
  },
  REMODEL_FAILPOINTS_REPORT: {
    readBy: 'tests',
    type: 'directory',
    what: 'every process that a failpoint kills leaves a file in it',
  },
  REMODEL_LOCAL_FAILPOINT: { readBy: 'tests', type: 'name', what: 'the same for the agent of the local provider' },
  REMODEL_CASES: { readBy: 'tests', type: 'directory', what: 'reference cases to compare with' },
  REMODEL_PROPERTY_RUNS: { readBy: 'tests', type: 'number', what: 'how many random cases a property is tried on' },
  REMODEL_RESERVATION_ROUNDS: {
    readBy: 'tests',
    type: 'number',
    what: 'how many rounds the race for addresses goes on',
  },
  REMODEL_PUBLIC_RELEASES: {
    readBy: 'tests',
    type: 'directory',
    what: 'checkouts of public releases ([for users of BOSH](bosh-users.md#public-releases-that-were-tried))',
  },
}
