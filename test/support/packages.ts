import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import type { Event } from '../../shared/api/schemas/event.ts'
import type { PlanView } from '../../shared/api/schemas/plan.ts'
import type { TestStack } from './services.ts'

/** Package -> what it is compiled from, and the lines of its script before it writes its one file. */
export type Packages = Record<string, { needs?: readonly string[]; script?: string }>

/** Uploads a release of these packages with one job, `job`, that names `top` and runs nothing. */
export async function uploadPackages(client: Client, name: string, top: string, packages: Packages): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-packages-'))
  const put = async (path: string, content: unknown) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  try {
    await put('config/final.yml', { name })
    await mkdir(join(folder, 'src'))
    for (const [one, { needs = [], script = '' }] of Object.entries(packages)) {
      await put(`packages/${one}/spec`, { name: one, dependencies: needs, files: [] })
      await put(`packages/${one}/packaging`, `${script}\necho ${name}/${one} > "$BOSH_INSTALL_TARGET/made"\n`)
    }
    await put('jobs/job/spec', { name: 'job', packages: [top], templates: {}, properties: {} })
    await put('jobs/job/monit', '')
    await uploadRelease(folder, client)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export interface PackagesOptions {
  name: string
  release: string
  /** Second number of its addresses. */
  net: number
  workers?: number
  stemcell?: string
}

/** Plans a deployment of one instance that runs the release's job. */
export function planPackages(client: Client, options: PackagesOptions): Promise<PlanView> {
  const { manifest, cloud } = filesOf(options)
  return client.plan({
    manifest: { name: `${options.name}.yml`, content: manifest },
    cloudConfigs: [{ name: 'cloud.yml', content: cloud }],
  })
}

/** Manifest and cloud config of such a deployment. */
export function filesOf(options: PackagesOptions): { manifest: string; cloud: string } {
  const { name, release, net, workers = 4, stemcell = '1' } = options
  const manifest = {
    name,
    releases: [{ name: release, version: 'latest' }],
    stemcells: [{ alias: 'default', os: 'local', version: stemcell }],
    update: { canaries: 0, max_in_flight: 1, canary_watch_time: '1-5000', update_watch_time: '1-5000' },
    instance_groups: [
      {
        ...{ name: 'one', instances: 1, azs: ['z1'], stemcell: 'default', vm_type: 'small' },
        networks: [{ name: 'default' }],
        jobs: [{ name: 'job', release }],
      },
    ],
  }
  const subnet = { range: `127.${net}.1.0/24`, gateway: `127.${net}.1.1`, azs: ['z1'] }
  const cloud = {
    azs: [{ name: 'z1' }],
    vm_types: [{ name: 'small' }],
    networks: [{ name: 'default', type: 'manual', subnets: [subnet] }],
    compilation: { workers, reuse_compilation_vms: true, az: 'z1', vm_type: 'small', network: 'default' },
  }
  return { manifest: JSON.stringify(manifest), cloud: JSON.stringify(cloud) }
}

/**
 * Lines of a script that waits until the test lets it go, or for a minute: a test that failed must not leave it behind.
 */
export const waits = (what: string) =>
  `for i in $(seq 1200); do [ -e /var/vcap/data/go-${what} ] && break; sleep 0.05; done`

/** Lets go what waits on the compile machines that run now. */
export async function letGo(stack: TestStack, what: string): Promise<void> {
  for (const vm of await compileVms(stack)) {
    const connection = await stack.provider.connect(vm, { scope: 'test', number: 1 })
    await connection.exec(['touch', `/var/vcap/data/go-${what}`]).finally(() => connection.close())
  }
}

/**
 * Lets it go on whichever machines there come to be, until `over` is settled: one that is being made
 * cannot be reached yet.
 */
export async function letGoUntil<T>(stack: TestStack, what: string, over: Promise<T>): Promise<T> {
  let open = true
  const settled = over.finally(() => {
    open = false
  })
  settled.catch(() => {})
  for (; open; await sleep(100)) await letGo(stack, what).catch(() => {})
  return settled
}

export async function compileVms(stack: TestStack): Promise<string[]> {
  const vms = await stack.provider.listVms()
  return vms.filter((vm) => vm.ownership.owner.startsWith('compiler/') && vm.state === 'running').map((vm) => vm.id)
}

/** `lib` of `compile-package lib/3f2a…`, or '' of another remodel. */
export function packageOf(remodel: string | undefined): string {
  return /^compile-package ([^/]+)\//.exec(remodel ?? '')?.[1] ?? ''
}

/** Events that tell of an attempt that was used up; what a stalled compiler gives back (`superseded`) uses none. */
export function usedAttempts(events: readonly Event[]): Event[] {
  return events.filter(
    ({ type, attempt = 1, code }) => attempt > 1 || (type === 'remodel.retried' && code !== 'superseded'),
  )
}

/** What compiling a package ended with: each run of a script once, however many remodels got it. */
export function scriptsOf(events: readonly Event[]): string[] {
  const done = events.filter(({ type, remodel }) => type === 'remodel.done' && packageOf(remodel) !== '')
  const real = done.filter(({ facts }) => facts?.cached === false)
  return [...new Set(real.map(({ facts, durationMs }) => `${facts?.key} ${facts?.vm} ${durationMs}`))]
}
