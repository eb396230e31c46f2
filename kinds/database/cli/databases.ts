import { isFinal } from '../../../cli/sdk.ts'
import type { Client } from '../../../shared/api/client.ts'
import type { Deployment } from '../../../shared/api/schemas/deployment.ts'
import type { PlanStatus, PlanView } from '../../../shared/api/schemas/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { DatabaseInstance } from '../api/instance.ts'
import type { DatabaseServer } from '../api/server.ts'
import type { Judgement } from '../judgement/judge.ts'
import { type Cause, judgementOf } from './verdict.ts'

export type Server = DatabaseInstance & { database: DatabaseServer }

/** A deployment of kind `database`, with what its servers say of themselves now. */
export interface Database {
  name: string
  database: string | null
  state: Judgement['state']
  nodes: {
    node: string
    primary: string | null
    archive: DatabaseServer['archive']
    /** When the newest base backup of the node was taken; null where there is none. */
    lastBackupAt: number | null
    instances: Server[]
  }[]
  /** Why it is not as it should be, the worst first. */
  causes: Cause[]
  /** Of its servers; several while it is brought from one to another. */
  versions: string[]
  lastPlan: PlanStatus | null
  /** Where the plan that is being carried out is. */
  progress: { plan: number; of: number; name: string } | null
  lock: string | null
}

/** Every database that exists or is being worked on. */
export async function listDatabases(client: Client): Promise<Database[]> {
  const deployments = (await client.deployments()).filter(({ kind }) => kind === 'database')
  return Promise.all(deployments.map((one) => describe(one, client)))
}

/** Throws `not-found` with the nearest name where there is no database of that name. */
export async function findDatabase(name: string, client: Client): Promise<Database> {
  const deployments = await client.deployments()
  const databases = deployments.filter(({ kind }) => kind === 'database')
  const found = databases.find((one) => one.name === name)
  if (found) return describe(found, client)
  const names = databases.map((one) => one.name)
  // It brings the reader of documents along, which only this refusal needs.
  const { suggest } = await import('../../../shared/source/document.ts')
  const { suggestion } = suggest(name, names)
  const other = deployments.find((one) => one.name === name)
  const what = other ? `${name} is of kind ${other.kind}, not a database` : `there is no database ${name}`
  throw new RemodelError('not-found', `${what}${suggestion ? `; did you mean ${suggestion}?` : ''}`, {
    details: { databases: names },
  })
}

async function describe({ name, lastPlan, lock }: Deployment, client: Client): Promise<Database> {
  const runs = lastPlan !== null && lastPlan.state !== 'stored' && !isFinal(lastPlan.state)
  // With the client that it is made of: the help of a verb needs neither.
  const { DatabaseClient } = await import('../api/client.ts')
  const own = new DatabaseClient(client)
  const [instances, view] = await Promise.all([own.instances(name), runs ? client.planView(lastPlan.id) : null])
  const archived = instances.some(({ database }) => database !== undefined && database.archive !== null)
  const backups = archived ? await own.backups(name) : []
  const servers = instances.filter((one): one is Server => one.database !== undefined)
  const nodes = [...Map.groupBy(servers, (one) => one.database.node)]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([node, mine]) => ({
      node,
      primary: mine.find(({ database }) => database.role === 'primary')?.database.host ?? null,
      archive: mine.find(({ database }) => database.role === 'primary')?.database.archive ?? null,
      lastBackupAt: backups.reduce<number | null>(
        (last, one) => (one.node === node && one.from > (last ?? 0) ? one.from : last),
        null,
      ),
      instances: mine.sort((a, b) => (a.instance < b.instance ? -1 : 1)),
    }))
  return {
    name,
    database: servers[0]?.database.database ?? null,
    nodes,
    ...judgementOf({ name, nodes, lock }),
    versions: [...new Set(servers.flatMap(({ database: { version } }) => version ?? []))].sort(),
    lastPlan,
    progress: view && progressOf(view),
    lock,
  }
}

/** Every plan of the operations is a stage: the first that is not over is the one that runs. Null: all are over. */
function progressOf({ plan, remodels }: Pick<PlanView, 'plan' | 'remodels'>): Database['progress'] {
  const over = new Set(remodels.flatMap(({ id, state }) => (['done', 'failed', 'skipped'].includes(state) ? [id] : [])))
  const stages = [
    ...Map.groupBy(
      plan.remodels.filter(({ action }) => action !== 'barrier'),
      ({ stage }) => stage,
    ),
  ]
  const at = stages.findIndex(([, group]) => group.some(({ id }) => !over.has(id)))
  return at < 0 ? null : { plan: at + 1, of: stages.length, name: stages[at]![0] }
}

type Connectable = Pick<Database, 'name' | 'database' | 'nodes'>

/**
 * Where clients of a node connect: all its servers, its primary first, of which they take the one that takes writes. No
 * user is in it: each client has his own. `ca`: the file that the CA's certificate is in. Undefined where the node has
 * no server.
 */
export function connectionUri(
  of: Connectable,
  node: string,
  { user, ca }: { user?: string; ca?: string } = {},
): string | undefined {
  const { database, nodes } = of
  const servers = nodes.find((one) => one.node === node)?.instances ?? []
  const hosts = servers
    .toSorted((a, b) => Number(b.database.role === 'primary') - Number(a.database.role === 'primary'))
    .flatMap(({ addresses, database: { port } }) => addresses.slice(0, 1).map((address) => `${address}:${port}`))
  if (hosts.length === 0 || database === null) return undefined
  const who = user === undefined ? '' : `${encodeURIComponent(user)}@`
  const checked = servers.every(({ database: { tls } }) => tls !== null)
  const parameters = [
    ...(hosts.length > 1 ? ['target_session_attrs=read-write'] : []),
    ...(checked ? ['sslmode=verify-full', `sslrootcert=${encodeURIComponent(ca ?? authorityFile(of))}`] : []),
  ]
  const more = parameters.length > 0 ? `?${parameters.join('&')}` : ''
  return `postgresql://${who}${hosts.join(',')}/${encodeURIComponent(database)}${more}`
}

/** Where a person is asked to put the CA's certificate. */
export const authorityFile = ({ name }: Pick<Database, 'name'>) => `${name}-ca.pem`

/** The certificate of the CA that all servers of a database have theirs of; undefined where they take no TLS. */
export function authorityOf({ nodes }: Pick<Database, 'nodes'>): string | undefined {
  const servers = nodes.flatMap(({ instances }) => instances)
  return servers.map(({ database: { tls } }) => tls?.ca).find((ca) => typeof ca === 'string')
}
