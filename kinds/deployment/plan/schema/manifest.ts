import { z } from 'zod'
import { Name } from '../../../../shared/model/names.ts'
import { HealthCheck } from '../../health-checks.ts'
import { Names, Share, Version, VmResources, WatchTime } from './common.ts'

/**
 * The deployment manifest, version 2 of BOSH's format. Every documented key is accepted; an unknown one is a fault.
 * Which of the accepted keys are not acted on is said in the notes of each plan (`architect/notes.ts`).
 */

const anything = z.record(z.string(), z.unknown())

const Release = z.strictObject({
  name: z.string().min(1),
  version: Version,
  url: z.string().optional(),
  sha1: z.string().optional(),
  stemcell: z.strictObject({ os: z.string(), version: Version }).optional(),
  exported_from: z.array(z.strictObject({ os: z.string(), version: Version })).optional(),
})

const Stemcell = z.strictObject({
  alias: z.string().min(1),
  os: z.string().optional(),
  name: z.string().optional(),
  version: Version,
})

const updateShape = {
  canaries: Share,
  max_in_flight: Share,
  canary_watch_time: WatchTime,
  update_watch_time: WatchTime,
  serial: z.boolean().optional(),
  vm_strategy: z.enum(['delete-create', 'create-swap-delete']).optional(),
  initial_deploy_az_update_strategy: z.enum(['serial', 'parallel']).optional(),
}
const Update = z.strictObject(updateShape)
export const GroupUpdate = z.strictObject(updateShape).partial()
export type GroupUpdate = z.infer<typeof GroupUpdate>

const ConsumedLink = z.strictObject({
  from: z.string().optional(),
  deployment: z.string().optional(),
  network: z.string().optional(),
  ip_addresses: z.boolean().optional(),
  /** A link written by hand. */
  instances: z.array(z.looseObject({ address: z.string() })).optional(),
  properties: anything.optional(),
  address: z.string().optional(),
})
const ProvidedLink = z.strictObject({
  as: z.string().optional(),
  shared: z.boolean().optional(),
  aliases: z.array(z.unknown()).optional(),
})
const none = z.union([z.null(), z.literal('nil')])

export const Job = z.strictObject({
  name: z.string().min(1),
  release: z.string().min(1),
  consumes: z.record(z.string(), z.union([none, ConsumedLink])).optional(),
  provides: z.record(z.string(), z.union([none, ProvidedLink])).optional(),
  custom_provider_definitions: z
    .array(z.strictObject({ name: z.string(), type: z.string(), properties: z.array(z.string()).optional() }))
    .optional(),
  properties: anything.nullish(),
  /** Remodel's own. */
  health_checks: z.array(HealthCheck).optional(),
})
export type Job = z.infer<typeof Job>

const GroupNetwork = z.strictObject({
  name: z.string().min(1),
  static_ips: z.array(z.string()).nullish(),
  default: z.array(z.enum(['dns', 'gateway', 'addressable'])).optional(),
  nic_group: z.union([z.string(), z.int()]).optional(),
})

export const Group = z.strictObject({
  name: Name,
  azs: Names.min(1).optional(),
  instances: z.int().nonnegative(),
  jobs: z.array(Job),
  vm_type: z.string().optional(),
  vm_resources: VmResources.optional(),
  vm_extensions: Names.optional(),
  stemcell: z.string(),
  persistent_disk: z.int().nonnegative().optional(),
  persistent_disk_type: z.string().optional(),
  persistent_disks: z.array(z.strictObject({ name: z.string().min(1), type: z.string() })).optional(),
  networks: z.array(GroupNetwork).min(1),
  update: GroupUpdate.optional(),
  migrated_from: z.array(z.strictObject({ name: z.string(), az: z.string().optional() })).optional(),
  lifecycle: z.enum(['service', 'errand']).default('service'),
  properties: anything.nullish(),
  tags: anything.optional(),
  env: anything.nullish(),
})
export type Group = z.infer<typeof Group>

const Addon = z.strictObject({
  name: z.string(),
  jobs: z.array(Job).optional(),
  include: anything.optional(),
  exclude: anything.optional(),
})

const Variable = z.strictObject({
  name: z.string(),
  type: z.string(),
  update_mode: z.enum(['no-overwrite', 'overwrite', 'converge']).optional(),
  update: z.strictObject({ strategy: z.enum(['on-deploy', 'on-stemcell-change']) }).optional(),
  options: anything.optional(),
  consumes: anything.optional(),
})

export const Manifest = z.strictObject({
  name: Name,
  director_uuid: z.string().optional(),
  features: z
    .strictObject({
      converge_variables: z.boolean(),
      randomize_az_placement: z.boolean(),
      use_dns_addresses: z.boolean(),
      use_link_dns_names: z.boolean(),
      use_tmpfs_config: z.boolean(),
      use_short_dns_addresses: z.boolean(),
    })
    .partial()
    .optional(),
  releases: z.array(Release),
  stemcells: z.array(Stemcell),
  update: Update,
  instance_groups: z.array(Group),
  addons: z.array(Addon).optional(),
  properties: anything.nullish(),
  variables: z.array(Variable).optional(),
  tags: anything.optional(),
})
export type Manifest = z.infer<typeof Manifest>
