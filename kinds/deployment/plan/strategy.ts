import { z } from 'zod'
import { InstanceAttributes } from '../inputs.ts'

/*
 * What the foreman needs to know beyond the materials: how to get there. It travels in the blueprint as JSON, so it is
 * plain data, and it grows with the number of groups and jobs, never with the number of instances.
 */

/**
 * What the blueprint's material of an instance says, and the floorplan's is compared with. The foreman adds what
 * depends on the floorplan: AZ, addresses, and the configuration that is rendered with them.
 */
export const WantedAttributes = InstanceAttributes.pick({ jobs: true, packages: true, state: true, checks: true })
export type WantedAttributes = z.infer<typeof WantedAttributes>

export const Resources = z.object({
  cpus: z.number().exactOptional(),
  memoryMiB: z.number().exactOptional(),
  diskMiB: z.number().exactOptional(),
})
export type Resources = z.infer<typeof Resources>

/** Where and how packages are compiled: the `compilation` block. */
export const CompileStrategy = z.object({
  workers: z.number(),
  reuse: z.boolean(),
  resources: Resources,
  /** Absent: none. */
  network: z.literal('host').exactOptional(),
  /** `orphan_workers`: VMs on their way out take no permit. */
  orphan: z.literal(true).exactOptional(),
  /** What one package may take. */
  deadlineSeconds: z.number().exactOptional(),
})
export type CompileStrategy = z.infer<typeof CompileStrategy>

/** Where a fault of this part is to be shown. */
export const Place = z.object({ file: z.string(), line: z.number(), path: z.string() })
export type Place = z.infer<typeof Place>

/** The first and the last of a range of addresses. */
const Range = z.tuple([z.string(), z.string()])

const SubnetStrategy = z.object({
  /** null: for instances without an AZ. */
  azs: z.array(z.string()).nullable(),
  first: z.string(),
  last: z.string(),
  /** Reserved, gateway, network and broadcast addresses. Merged and sorted. */
  blocked: z.array(Range),
  /** Only for instances that name them. Merged and sorted. */
  static: z.array(Range),
  /** Network of the cloud, where it has a name. */
  space: z.string().exactOptional(),
})
export type SubnetStrategy = z.infer<typeof SubnetStrategy>

export const NetworkStrategy = z.object({
  type: z.enum(['manual', 'vip']),
  space: z.string().exactOptional(),
  subnets: z.array(SubnetStrategy),
})
export type NetworkStrategy = z.infer<typeof NetworkStrategy>

const StemcellStrategy = z.object({
  name: z.string(),
  os: z.string(),
  version: z.string(),
  digest: z.string().optional(),
})
export type StemcellStrategy = z.infer<typeof StemcellStrategy>

export const PackageStrategy = z.object({
  name: z.string(),
  fingerprint: z.string(),
  /** Absent where the release brings it compiled only. */
  source: z.string().exactOptional(),
  dependencies: z.array(z.object({ name: z.string(), key: z.string() })),
  stemcell: StemcellStrategy,
})
export type PackageStrategy = z.infer<typeof PackageStrategy>

export const GroupNetworkStrategy = z.object({
  name: z.string(),
  /** One per instance, or null where addresses are given by the foreman. */
  static: z.array(z.object({ address: z.string(), azs: z.array(z.string()).nullable() })).nullable(),
  /** Where the static addresses are written. */
  place: Place.exactOptional(),
  default: z.array(z.enum(['dns', 'gateway', 'addressable'])),
})
export type GroupNetworkStrategy = z.infer<typeof GroupNetworkStrategy>

const Watch = z.object({ minMs: z.number(), maxMs: z.number() })

export const UpdateStrategy = z.object({
  serial: z.boolean(),
  /** A number or a percentage, as text. */
  canaries: z.string(),
  maxInFlight: z.string(),
  canaryWatch: Watch,
  updateWatch: Watch,
  vmStrategy: z.enum(['delete-create', 'create-swap-delete']),
})
export type UpdateStrategy = z.infer<typeof UpdateStrategy>

/** The instances of a group, seen through one of its networks; or what the manifest writes by hand. */
export const LinkStrategy = z.union([
  z.object({ group: z.string(), network: z.string(), useDns: z.boolean(), properties: z.unknown() }),
  z.object({ addresses: z.array(z.string()), address: z.string(), properties: z.unknown() }),
])
export type LinkStrategy = z.infer<typeof LinkStrategy>

export const JobStrategy = z.object({
  name: z.string(),
  release: z.object({ name: z.string(), version: z.string() }),
  fingerprint: z.string(),
  digest: z.string(),
  templates: z.record(z.string(), z.string()),
  /** Nested, with defaults filled in. */
  properties: z.unknown(),
  links: z.record(z.string(), LinkStrategy),
  place: Place,
})
export type JobStrategy = z.infer<typeof JobStrategy>

export const GroupStrategy = z.object({
  name: z.string(),
  /** null: this group knows no AZs. */
  azs: z.array(z.string()).nullable(),
  networks: z.array(GroupNetworkStrategy),
  /** Name of the network whose address is the instance's own. */
  addressable: z.string(),
  stemcell: StemcellStrategy,
  /** By AZ; `""` where there is none. */
  machines: z.record(z.string(), z.object({ hardware: z.string(), resources: Resources })),
  jobs: z.array(JobStrategy),
  update: UpdateStrategy,
  /** Names this group had before, and the AZ its instances are in where they were made without one. */
  migratedFrom: z.array(z.object({ name: z.string(), az: z.string().nullable() })),
  place: Place,
})
export type GroupStrategy = z.infer<typeof GroupStrategy>

export const Strategy = z.object({
  deployment: z.string(),
  /** Links and `spec.address` carry names instead of addresses. */
  useDns: z.boolean(),
  networks: z.record(z.string(), NetworkStrategy),
  compile: CompileStrategy,
  /** Package key -> how to compile it. Holds every package of every group and all their dependencies. */
  packages: z.record(z.string(), PackageStrategy),
  /** In the order of the manifest; groups that are errands are left out. */
  groups: z.array(GroupStrategy),
  notes: z.array(z.string()),
  /** What `latest` and the like have become: notes of a plan that changes something. */
  versions: z.array(z.string()),
})
export type Strategy = z.infer<typeof Strategy>
