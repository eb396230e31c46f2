import type { HealthCheck } from '../health-checks.ts'
import type { DiskAttributes } from '../inputs.ts'

/**
 * What the foreman needs to know beyond the materials: how to get there. It travels in the blueprint as JSON, so it is
 * plain data, and it grows with the number of groups and jobs, never with the number of instances.
 */
export interface Strategy {
  deployment: string
  /** Links and `spec.address` carry names instead of addresses. */
  useDns: boolean
  networks: Record<string, NetworkStrategy>
  compile: CompileStrategy
  /** Package key -> how to compile it. Holds every package of every group and all their dependencies. */
  packages: Record<string, PackageStrategy>
  /** In the order of the manifest; groups that are errands are left out. */
  groups: GroupStrategy[]
  notes: string[]
  /** What `latest` and the like have become: notes of a plan that changes something. */
  versions: string[]
}

/** Where and how packages are compiled: the `compilation` block. */
export interface CompileStrategy {
  workers: number
  reuse: boolean
  resources: Resources
  /** Absent: none. */
  network?: 'host'
  /** `orphan_workers`: VMs on their way out take no seat. */
  orphan?: true
  /** What one package may take. */
  deadlineSeconds?: number
}

export interface Resources {
  cpus?: number
  memoryMiB?: number
  diskMiB?: number
}

/** Where a fault of this part is to be shown. */
export interface Place {
  file: string
  line: number
  path: string
}

export interface SubnetStrategy {
  /** null: for instances without an AZ. */
  azs: string[] | null
  first: string
  last: string
  /** Pairs of first and last: reserved, gateway, network and broadcast addresses. Merged and sorted. */
  blocked: [string, string][]
  /** Only for instances that name them. Merged and sorted. */
  static: [string, string][]
  /** Network of the cloud, where it has a name. */
  space?: string
}

export interface NetworkStrategy {
  type: 'manual' | 'vip'
  space?: string
  subnets: SubnetStrategy[]
}

export interface PackageStrategy {
  name: string
  fingerprint: string
  /** Absent where the release brings it compiled only. */
  source?: string
  dependencies: { name: string; key: string }[]
  stemcell: StemcellStrategy
}

export interface StemcellStrategy {
  name: string
  os: string
  version: string
  digest?: string | undefined
}

export interface GroupNetworkStrategy {
  name: string
  /** One per instance, or null where addresses are given by the foreman. */
  static: { address: string; azs: string[] | null }[] | null
  /** Where the static addresses stand. */
  place?: Place
  default: ('dns' | 'gateway' | 'addressable')[]
}

export interface UpdateStrategy {
  serial: boolean
  /** A number or a percentage, as text. */
  canaries: string
  maxInFlight: string
  canaryWatch: { minMs: number; maxMs: number }
  updateWatch: { minMs: number; maxMs: number }
  vmStrategy: 'delete-create' | 'create-swap-delete'
}

export interface GroupStrategy {
  name: string
  instances: number
  /** null: this group knows no AZs. */
  azs: string[] | null
  networks: GroupNetworkStrategy[]
  /** Name of the network whose address is the instance's own. */
  addressable: string
  stemcell: StemcellStrategy
  /** By AZ; `""` where there is none. */
  machines: Record<string, { hardware: string; resources: Resources }>
  disk: DiskAttributes | null
  jobs: JobStrategy[]
  /** Package name -> key: what lies on the machine. */
  packages: Record<string, string>
  update: UpdateStrategy
  /** Names this group had before, and the AZ its instances are in where they were made without one. */
  migratedFrom: { name: string; az: string | null }[]
  place: Place
}

export interface JobStrategy {
  name: string
  release: { name: string; version: string }
  fingerprint: string
  digest: string
  templates: Record<string, string>
  /** Nested, with defaults filled in. */
  properties: unknown
  links: Record<string, LinkStrategy>
  /** Of the manifest; the job's own are among its files. Absent: none. */
  checks?: HealthCheck[]
  place: Place
}

export type LinkStrategy =
  /** The instances of a group, seen through one of its networks. */
  | { group: string; network: string; useDns: boolean; properties: unknown }
  /** Written by hand in the manifest. */
  | { addresses: string[]; address: string; properties: unknown }
