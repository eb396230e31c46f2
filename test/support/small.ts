import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import type { PlanView } from '../../shared/api/schemas/plan.ts'
import type { TestStack } from './services.ts'
import { settled } from './services.ts'

/**
 * A small release of the tests' own: five packages three deep (0.3 s each), a job that sleeps, a job that reads a link.
 */
export const smallRelease = new URL('../fixtures/small', import.meta.url).pathname

export interface SmallOptions {
  name?: string
  instances?: number
  stemcell?: string
  greeting?: string
  fail?: boolean
  late?: 'pre-start' | 'drain'
  vmStrategy?: 'delete-create' | 'create-swap-delete'
  canaries?: number
  /** Of canaries and all others, in milliseconds: `<least>-<most>`. */
  watch?: string
  maxInFlight?: string | number
  vmType?: string
  disk?: number
  reuse?: boolean
  workers?: number
  /** More of the `compilation` block; undefined takes a key away. */
  compilation?: Record<string, unknown>
  front?: boolean
  /** Health checks of its job. */
  checks?: object[]
  /** A job with a post-deploy script; `fail`: that fails. */
  after?: 'run' | 'fail'
  recreate?: boolean
  /** When its plan may begin. */
  notBefore?: number
  /** Version of the release; the newest by default. */
  release?: string
  /** Second number of its addresses: deployments of one test run must not meet. */
  net?: number
}

/** YAML is JSON: written as an object, so that a test can leave out what it does not care for. */
function smallManifest(options: SmallOptions = {}): string {
  const {
    name = 'small',
    instances = 2,
    stemcell = '1',
    greeting = 'hello',
    fail = false,
    late = '',
    disk = 16,
  } = options
  const group = {
    instances,
    azs: ['z1', 'z2'],
    stemcell: 'default',
    vm_type: options.vmType ?? 'small',
    networks: [{ name: 'default' }],
  }
  return JSON.stringify(
    {
      name,
      features: { use_dns_addresses: true },
      releases: [{ name: 'small', version: options.release ?? 'latest' }],
      stemcells: [{ alias: 'default', os: 'local', version: stemcell }],
      update: {
        canaries: options.canaries ?? 1,
        max_in_flight: options.maxInFlight ?? 1,
        canary_watch_time: options.watch ?? '50-5000',
        update_watch_time: options.watch ?? '50-5000',
        vm_strategy: options.vmStrategy ?? 'delete-create',
      },
      instance_groups: [
        {
          name: 'app',
          ...group,
          ...(disk > 0 ? { persistent_disk: disk } : {}),
          jobs: [
            {
              name: 'app',
              release: 'small',
              properties: { greeting, fail, ...(late ? { late } : {}) },
              ...(options.checks ? { health_checks: options.checks } : {}),
            },
            ...(options.after
              ? [{ name: 'after', release: 'small', properties: { after: { fail: options.after === 'fail' } } }]
              : []),
          ],
        },
        ...(options.front
          ? [{ name: 'front', ...group, instances: 1, jobs: [{ name: 'front', release: 'small' }] }]
          : []),
      ],
    },
    null,
    2,
  )
}

function smallCloudConfig({ net = 60, reuse = true, workers = 3, compilation = {} }: SmallOptions = {}): string {
  return JSON.stringify({
    azs: [{ name: 'z1' }, { name: 'z2' }],
    vm_types: [{ name: 'small' }, { name: 'large', cloud_properties: { cpu: 2 } }],
    networks: [
      {
        name: 'default',
        type: 'manual',
        subnets: [{ range: `127.${net}.1.0/24`, gateway: `127.${net}.1.1`, azs: ['z1', 'z2'] }],
      },
    ],
    compilation: {
      workers,
      reuse_compilation_vms: reuse,
      az: 'z1',
      vm_type: 'small',
      network: 'default',
      ...compilation,
    },
  })
}

/** Uploads the release and both stemcells. */
export async function uploadSmall(client: Client): Promise<void> {
  await uploadRelease(smallRelease, client)
  for (const version of ['1', '2', '3']) await client.addStemcell({ name: 'local', os: 'local', version })
}

export function planSmall(client: Client, options: SmallOptions = {}): Promise<PlanView> {
  return client.plan({
    manifest: { name: 'small.yml', content: smallManifest(options) },
    cloudConfigs: [{ name: 'cloud.yml', content: smallCloudConfig(options) }],
    options: {
      recreate: options.recreate ?? false,
      ...(options.notBefore === undefined ? {} : { notBefore: options.notBefore }),
    },
  })
}

/** Plans, applies and waits; answers the plan and the state it ended in. */
export async function deploySmall(client: Client, options: SmallOptions = {}): Promise<PlanView & { ended: string }> {
  const view = await planSmall(client, options)
  await client.apply(view.plan.id, {})
  return { ...view, ended: await settled(client, view.plan.id) }
}

export async function removeSmall(client: Client, name = 'small'): Promise<string> {
  const { plan } = await client.planRemoval(name)
  await client.apply(plan.id, {})
  return settled(client, plan.id)
}

export interface Effect {
  effect?: string
  op?: string
  id: string
}

/** What was really done to machines and disks, in order: the provider's append-only log. */
export async function effectsOf(stack: TestStack): Promise<{ what: string; id: string }[]> {
  const text = await readFile(join(stack.home, 'machines', 'effects.jsonl'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .map((line) => ({ what: line.op ?? line.effect ?? line.verb, id: line.id }))
}
