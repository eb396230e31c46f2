import { z } from 'zod'
import { CloudProperties, Names, VmResources } from './common.ts'

/** A cloud config as BOSH documents it. Several may be given; they are merged by `architect/cloud.ts`. */

const Az = z.strictObject({ name: z.string().min(1), cpi: z.string().optional(), cloud_properties: CloudProperties })

const Subnet = z.strictObject({
  name: z.string().optional(),
  range: z.string().optional(),
  netmask_bits: z.int().optional(),
  gateway: z.string().optional(),
  reserved: z.union([z.string(), z.array(z.string())]).optional(),
  static: z.union([z.string(), z.array(z.string())]).optional(),
  dns: z.array(z.string()).optional(),
  az: z.string().optional(),
  azs: Names.min(1).optional(),
  prefix: z.union([z.string(), z.int()]).optional(),
  cloud_properties: CloudProperties,
})
export type Subnet = z.infer<typeof Subnet>

const Network = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['manual', 'dynamic', 'vip']).default('manual'),
  managed: z.boolean().optional(),
  subnets: z.array(Subnet).optional(),
  dns: z.array(z.string()).optional(),
  cloud_properties: CloudProperties,
})
export type Network = z.infer<typeof Network>

const Compilation = z.strictObject({
  workers: z.int().positive(),
  az: z.string().optional(),
  network: z.string(),
  vm_type: z.string().optional(),
  vm_resources: VmResources.optional(),
  vm_extensions: Names.optional(),
  cloud_properties: z.record(z.string(), z.unknown()).optional(),
  reuse_compilation_vms: z.boolean().default(false),
  orphan_workers: z.boolean().optional(),
  env: z.record(z.string(), z.unknown()).optional(),
})

export const CloudConfig = z.strictObject({
  azs: z.array(Az).optional(),
  networks: z.array(Network).optional(),
  vm_types: z.array(z.strictObject({ name: z.string().min(1), cloud_properties: CloudProperties })).optional(),
  vm_extensions: z.array(z.strictObject({ name: z.string().min(1), cloud_properties: CloudProperties })).optional(),
  disk_types: z
    .array(
      z.strictObject({ name: z.string().min(1), disk_size: z.int().positive(), cloud_properties: CloudProperties }),
    )
    .optional(),
  compilation: Compilation.optional(),
  /** Read by kinds that stand on hosts; nothing of a deployment does. */
  hosts: z.array(z.unknown()).optional(),
})
export type CloudConfig = z.infer<typeof CloudConfig>
