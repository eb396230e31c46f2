import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atMost, type Figure, medianOf, noted } from '../figure.ts'

const command = new URL('../../bin/remodel', import.meta.url).pathname

const manifest = `name: tiny
releases: []
stemcells: [{alias: default, os: local, version: "1"}]
update: {canaries: 1, max_in_flight: 1, canary_watch_time: 1000-5000, update_watch_time: 1000-5000}
instance_groups:
- name: one
  instances: 1
  azs: [z1]
  stemcell: default
  vm_type: small
  networks: [{name: default}]
  jobs: []
`
const cloud = `azs: [{name: z1}]
vm_types: [{name: small}]
networks: [{name: default, type: manual, subnets: [{range: 127.9.1.0/24, gateway: 127.9.1.1, azs: [z1]}]}]
compilation: {workers: 1, az: z1, vm_type: small, network: default}
`

/** The whole process, from its start to its exit, with the caches of an earlier run. */
export async function cliFigures(bench: string): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  try {
    await writeFile(join(folder, 'tiny.yml'), manifest)
    await writeFile(join(folder, 'cloud.yml'), cloud)
    await writeFile(join(folder, 'floorplan.json'), '{}')
    const started = (args: string[], expected: number) => medianOf(() => timed(folder, args, expected))
    const plan = await started(['plan', 'tiny.yml', 'cloud.yml', '--floorplan', 'floorplan.json', '--json'], 3)
    const version = await started(['completion', 'bash'], 0)
    const node = await medianOf(() => timed(folder, ['-e', '0'], 0, process.execPath))
    return [
      atMost(
        { bench, case: 'command `plan` offline, cold start', value: plan, unit: 'ms', against: 'one instance' },
        250,
      ),
      noted({ bench, case: 'command `completion`, cold start', value: version, unit: 'ms', against: 'itself' }),
      noted({ bench, case: 'bare Node, cold start', value: node, unit: 'ms', against: 'itself' }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function timed(folder: string, args: string[], expected: number, file = command): Promise<number> {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') }
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = execFile(file, args, { cwd: folder, env }, (_error, _stdout, stderr) => {
      const ms = performance.now() - started
      if (child.exitCode === expected) resolve(ms)
      else reject(new Error(`remodel ${args.join(' ')} ended with ${child.exitCode}: ${stderr}`))
    })
  })
}
