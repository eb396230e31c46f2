import type { Random } from '../../sim/random.ts'
import { jobs } from './release.ts'

/** A job as a manifest wants it. */
export interface JobWish {
  name: string
  user: string
  main: string[]
  more: string[]
  /** Its pidfiles outlive the machine. */
  stored: boolean
  others: number
}

/** A group as a manifest wants it. */
export interface GroupWish {
  name: string
  instances: number
  azs: string[] | null
  disk: number
  swap: boolean
  jobs: JobWish[]
  from: { name: string; az?: string }[]
}

const users = ['root', 'vcap', 'daemon', 'syslog']
const zones = [['z1'], ['z2'], ['z1', 'z2']]

export function anyGroup(random: Random, name: string): GroupWish {
  return {
    name,
    instances: random.int(1, 2),
    azs: random.chance(0.3) ? null : random.pick(zones),
    disk: random.chance(0.7) ? 16 : 0,
    swap: random.chance(0.3),
    jobs: random
      .shuffle([...jobs])
      .slice(0, random.int(1, 2))
      .map((job) => anyJob(random, job)),
    from: [],
  }
}

function anyJob(random: Random, name: string): JobWish {
  const names = (kind: string, most: number) =>
    Array.from({ length: random.int(0, most) }, (_, n) => `${name}-${kind}${n}`)
  return {
    name,
    user: random.pick(users),
    main: names('main', 2),
    more: names('more', 1),
    stored: random.chance(0.5),
    others: random.pick([0, 0, 20]),
  }
}

/** The next document: one or two things are other than before. */
export function changed(random: Random, groups: readonly GroupWish[], count: number): GroupWish[] {
  let next = groups.map((group) => ({ ...group, from: group.from.filter(({ name }) => name === group.name) }))
  for (let change = random.int(1, 2); change > 0; change--) {
    const group = random.pick(next)
    const become = (other: GroupWish) => {
      next = next.map((one) => (one === group ? other : one))
    }
    const what = random.int(0, 8)
    if (what === 0) become({ ...group, instances: random.int(1, 3) })
    else if (what === 1) become({ ...group, azs: random.pick(zones) })
    else if (what === 2 && group.azs === null)
      become({ ...group, azs: ['z1', 'z2'], from: [...group.from, { name: group.name, az: 'z1' }] })
    else if (what === 3 && group.from.length === 0) {
      const said = random.chance(0.8) ? [{ name: group.name }] : []
      become({ ...group, name: `g${count}${change}`, from: said })
    } else if (what === 4) become({ ...group, disk: random.pick([0, 16, 32]) })
    else if (what === 5) become({ ...group, jobs: anyGroup(random, group.name).jobs })
    else if (what === 6) become({ ...group, jobs: group.jobs.map((job) => ({ ...job, user: random.pick(users) })) })
    else if (what === 7 && next.length < 2) next = [...next, anyGroup(random, `g${count}${change}`)]
    else if (what === 8 && next.length > 1) next = next.filter((one) => one !== group)
  }
  return next
}

/** The manifest of such a document. */
export function manifestOf(deployment: string, groups: readonly GroupWish[]): string {
  return JSON.stringify({
    name: deployment,
    releases: [{ name: 'histories', version: 'latest' }],
    stemcells: [{ alias: 'default', os: 'local', version: '1' }],
    update: { canaries: 1, max_in_flight: 2, canary_watch_time: '20-60000', update_watch_time: '20-60000' },
    instance_groups: groups.map(({ name, instances, azs, disk, swap, jobs: wanted, from }) => ({
      name,
      instances,
      ...(azs === null ? {} : { azs }),
      stemcell: 'default',
      vm_type: 'small',
      networks: [{ name: azs === null ? 'plain' : 'zoned' }],
      ...(disk > 0 ? { persistent_disk: disk } : {}),
      ...(from.length > 0 ? { migrated_from: from } : {}),
      update: { vm_strategy: swap ? 'create-swap-delete' : 'delete-create' },
      jobs: wanted.map((job) => ({
        name: job.name,
        release: 'histories',
        properties: { ...job, pids: pidsOf(job, disk) },
      })),
    })),
  })
}

/** Where the pidfiles of a job are. */
export function pidsOf({ name, stored }: Pick<JobWish, 'name' | 'stored'>, disk: number): string {
  return stored && disk > 0 ? `/var/vcap/store/pids-${name}` : `/var/vcap/data/pids-${name}`
}

export const cloud = JSON.stringify({
  azs: [{ name: 'z1' }, { name: 'z2' }],
  vm_types: [{ name: 'small' }],
  networks: [
    { name: 'plain', type: 'manual', subnets: [{ range: '127.71.0.0/24', gateway: '127.71.0.1' }] },
    { name: 'zoned', type: 'manual', subnets: [{ range: '127.71.1.0/24', gateway: '127.71.1.1', azs: ['z1', 'z2'] }] },
  ],
  compilation: { workers: 1, network: 'plain', vm_type: 'small' },
})
