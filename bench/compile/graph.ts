import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Package name -> what it needs and how long its script sleeps; equal `content` is equal content. */
export type Packages = Record<string, { deps: readonly string[]; seconds: number; content: string }>

/** Releases of packages that only sleep; each has jobs that name packages and run nothing. */
export type Graph = Record<string, { packages: Packages; jobs: Record<string, readonly string[]> }>

/** One release whose only job uses all packages. */
export function oneRelease(name: string, packages: Packages): Graph {
  return { [name]: { packages, jobs: { [name]: Object.keys(packages) } } }
}

/** Writes release directories below `folder`; returns their paths. */
export async function writeReleases(folder: string, graph: Graph): Promise<string[]> {
  const paths: string[] = []
  for (const [release, { packages, jobs }] of Object.entries(graph)) {
    const path = join(folder, release)
    paths.push(path)
    await mkdir(join(path, 'src'), { recursive: true })
    await put(join(path, 'config/final.yml'), JSON.stringify({ name: release }))
    for (const [name, { deps, seconds, content }] of Object.entries(packages)) {
      const sleep = seconds > 0 ? `sleep ${seconds}\n` : ''
      await put(join(path, 'packages', name, 'spec'), JSON.stringify({ name, dependencies: deps, files: [] }))
      await put(
        join(path, 'packages', name, 'packaging'),
        `# ${content}\n${sleep}echo ${content} > "$BOSH_INSTALL_TARGET/x"\n`,
      )
    }
    for (const [name, uses] of Object.entries(jobs)) {
      await put(
        join(path, 'jobs', name, 'spec'),
        JSON.stringify({ name, packages: uses, templates: {}, properties: {} }),
      )
      await put(join(path, 'jobs', name, 'monit'), '')
    }
  }
  return paths
}

/** One group of one instance for each release, with all of its jobs. */
export function manifestOf(deployment: string, graph: Graph, stemcell = '1'): string {
  return JSON.stringify({
    name: deployment,
    releases: Object.keys(graph).map((name) => ({ name, version: 'latest' })),
    stemcells: [{ alias: 'default', os: 'local', version: stemcell }],
    update: { canaries: 0, max_in_flight: 8, canary_watch_time: '1-5000', update_watch_time: '1-5000', serial: false },
    instance_groups: Object.entries(graph).map(([release, { jobs }]) => ({
      name: release,
      instances: 1,
      azs: ['z1'],
      stemcell: 'default',
      vm_type: 'small',
      networks: [{ name: 'default' }],
      jobs: Object.keys(jobs).map((name) => ({ name, release })),
    })),
  })
}

export function cloudConfig(workers: number, net: number): string {
  return JSON.stringify({
    azs: [{ name: 'z1' }],
    vm_types: [{ name: 'small' }],
    networks: [
      {
        name: 'default',
        type: 'manual',
        subnets: [{ range: `127.${net}.1.0/24`, gateway: `127.${net}.1.1`, azs: ['z1'] }],
      },
    ],
    compilation: { workers, reuse_compilation_vms: true, az: 'z1', vm_type: 'small', network: 'default' },
  })
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, text)
}
