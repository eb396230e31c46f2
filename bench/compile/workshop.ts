import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import { startServices, type TestStack } from '../../test/support/services.ts'
import { over } from '../over.ts'
import { cloudConfig, type Graph, manifestOf, writeReleases } from './graph.ts'

/** A whole Remodel with one compiler process of a number of lanes, where nothing was compiled yet. */
export interface Workshop {
  stack: TestStack
  client: Client
  /** Uploads a graph and deploys it; answers when all of it stands. */
  deploy(deployment: string, graph: Graph, net?: number): Promise<Deployed>
  /** The same of one release directory: one instance with these jobs, on a stemcell of this version. */
  deployRelease(
    deployment: string,
    release: { path: string; jobs: readonly string[]; stemcell: string },
  ): Promise<Deployed>
  stop(): Promise<void>
}

export interface Deployed {
  /** From the start of the plan to the last compiled package. 0 where nothing was compiled. */
  compileMs: number
  /** From the start of the plan to its end. */
  totalMs: number
  /** From the manifest to the stored plan. */
  planMs: number
  /** Packages that were really compiled, by name. */
  compiled: string[]
  /** Machines they were compiled on. */
  vms: number
  /** Each run of a packaging script once: every remodel that waited for it reports the same machine and duration. */
  scripts: string[]
}

export async function openWorkshop(workers: number): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  const stack = await startServices({ planner: 1, compiler: 1, assembler: 1 }, { REMODEL_CONCURRENCY: String(workers) })
  const client = stack.client()
  await client.addStemcell({ name: 'local', os: 'local', version: '1' })
  return {
    stack,
    client,
    async deploy(deployment, graph, net = 70) {
      for (const path of await writeReleases(join(folder, deployment), graph)) await uploadRelease(path, client)
      return carryOut(deployment, manifestOf(deployment, graph), net)
    },
    async deployRelease(deployment, { path, jobs, stemcell }) {
      await client.addStemcell({ name: 'local', os: 'local', version: stemcell })
      const { name } = (await uploadRelease(path, client)).release
      const graph = { [name]: { packages: {}, jobs: Object.fromEntries(jobs.map((job) => [job, []])) } }
      return carryOut(deployment, manifestOf(deployment, graph, stemcell), 70)
    },
    async stop() {
      await stack.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }

  async function carryOut(deployment: string, manifest: string, net: number): Promise<Deployed> {
    const asked = performance.now()
    const { plan } = await client.plan({
      manifest: { name: `${deployment}.yml`, content: manifest },
      cloudConfigs: [{ name: 'cloud.yml', content: cloudConfig(workers, net) }],
    })
    const planMs = performance.now() - asked
    await client.apply(plan.id, {})
    await over(client, deployment, plan.id)
    return { planMs, ...(await factsOf(client, deployment, plan.id)) }
  }
}

/** Read off the ledger's own times, which do not depend on how often they are read. */
async function factsOf(client: Client, deployment: string, plan: string): Promise<Omit<Deployed, 'planMs'>> {
  const events = await client.events(deployment, { plan })
  const at = (type: string) => new Date(events.find((event) => event.type === type)?.at ?? Number.NaN).getTime()
  const compiles = events.filter(
    (event) => event.type === 'remodel.done' && event.remodel?.startsWith('compile-package'),
  )
  const real = compiles.filter((event) => event.facts?.cached === false)
  const last = compiles.at(-1)
  return {
    compileMs: last ? new Date(last.at).getTime() - at('plan.started') : 0,
    totalMs: at('plan.done') - at('plan.started'),
    compiled: real.map((event) => event.remodel!.split(' ')[1]!.split('/')[0]!),
    vms: new Set(real.map((event) => event.facts?.vm)).size,
    scripts: real.map((event) => `${event.remodel} ${event.facts?.vm} ${event.durationMs}`),
  }
}
