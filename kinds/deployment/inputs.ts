import { z } from 'zod'
import { CompileSpec } from '../../shared/compilation/spec.ts'
import { inVersion } from '../../shared/model/input-version.ts'
import { HealthCheck } from './health-checks.ts'

/**
 * What the planner's and the assembler's half of the `deployment` kind agree on: the materials of its floorplan and the
 * input of each of its remodels. Digests name blobs; ids of VMs and disks (`cid`) are chosen by the foreman.
 */

/** An address on a machine. `space` is the network of the cloud it lies in, where that has a name of its own. */
const NetworkAddress = z.object({ name: z.string(), address: z.string(), space: z.string().exactOptional() })

/** `vm/<cid>`: a machine. `purpose` is the instance it was made for; the instance's meta says which VM it runs on. */
export const VmAttributes = z.object({
  purpose: z.string(),
  az: z.string().nullable(),
  /** `<name>/<version>` of the stemcell. */
  stemcell: z.string(),
  /** Digest over vm_type, vm_extensions, az cloud properties and env: another digest means another machine. */
  hardware: z.string(),
  networks: z.array(NetworkAddress),
})
export type VmAttributes = z.infer<typeof VmAttributes>

/**
 * `disk/<group>/<index>`: a persistent disk; meta is `{ cid }`. With `kept: true` in meta no instance wants it, and it
 * is kept until the deployment is removed; where its slot has another disk it is `disk/<cid>`.
 */
export const DiskAttributes = z.object({ sizeMiB: z.number(), type: z.string().nullable() })
export type DiskAttributes = z.infer<typeof DiskAttributes>

/**
 * What a person wants of an instance until they say otherwise: that none of its processes runs, or that no plan touches
 * it. Either way plans leave it as it is.
 */
export const Intent = z.enum(['ignored', 'stopped'])
export type Intent = z.infer<typeof Intent>

/** `instance/<group>/<index>`: what runs. meta is `{ vm: <cid> }`. */
export const InstanceAttributes = z.object({
  az: z.string().nullable(),
  networks: z.array(NetworkAddress),
  /** Job name -> `<release>/<fingerprint>`. */
  jobs: z.record(z.string(), z.string()),
  /** Package name -> package key. */
  packages: z.record(z.string(), z.string()),
  /** Job name -> digest of its rendered files. */
  configuration: z.record(z.string(), z.string()),
  state: z.enum(['started', 'stopped']),
  /** Job name -> the health checks that the manifest gives it; jobs without any are left out. */
  checks: z.record(z.string(), z.array(HealthCheck)).exactOptional(),
  intents: z.array(Intent).exactOptional(),
})
export type InstanceAttributes = z.infer<typeof InstanceAttributes>

const watch = z.object({ minMs: z.number(), maxMs: z.number() })

const NextState = z.enum(['keep', 'delete'])

/** Names and addresses of a deployment's instances, as its machines see them in `/etc/hosts` and `dns/records.json`. */
export const AddressRecord = z.object({
  /** `<index>.<group>.<network>.<deployment>.remodel` */
  host: z.string(),
  /** `<group>.<network>.<deployment>.remodel`: one name for all instances of a group. */
  group: z.string(),
  address: z.string(),
  instance: z.string(),
  az: z.string().nullable(),
})
export type AddressRecord = z.infer<typeof AddressRecord>

export const inputs = {
  /** On queue `compile`. Done when the compiled index knows `key`. */
  'compile-package': CompileSpec,
  'create-vm': inVersion(
    2,
    z.object({
      cid: z.string(),
      deployment: z.string(),
      stemcell: z.object({ name: z.string(), os: z.string(), version: z.string(), digest: z.string().optional() }),
      resources: z.object({
        cpus: z.number().optional(),
        memoryMiB: z.number().optional(),
        diskMiB: z.number().optional(),
      }),
      vm: VmAttributes,
    }),
  ),
  /** Also removes `forget` from the floorplan: the instance that is gone with its VM. */
  'delete-vm': z.object({ cid: z.string(), forget: z.array(z.string()) }),
  /**
   * `kept`: it was found in no record and no instance wants it; it is recorded, so that its data is not lost unseen.
   */
  'create-disk': inVersion(
    2,
    z.object({
      cid: z.string(),
      deployment: z.string(),
      disk: DiskAttributes,
      kept: z.literal(true).exactOptional(),
    }),
  ),
  /**
   * Materials that are recorded under another id from then on, all at once: instances of a group that was
   * renamed, and their disks.
   */
  'rename-instances': z.object({ moves: z.array(z.object({ from: z.string(), to: z.string() })) }),
  /** Detaches it first. */
  'delete-disk': z.object({ cid: z.string() }),
  /** Only ever larger, or of another type; the data stays. Done while the instance on it is stopped. */
  'resize-disk': z.object({ cid: z.string(), disk: DiskAttributes }),
  /** Detaches the disk from where it hangs, then attaches it. */
  'attach-disk': z.object({ vm: z.string(), disk: z.string() }),
  /** Puts packages and rendered jobs on the machine beside what runs there; touches nothing that runs. */
  'prepare-instance': z.object({
    vm: z.string(),
    packages: z.array(z.object({ name: z.string(), key: z.string() })),
    jobs: z.array(z.object({ name: z.string(), rendered: z.string() })),
    /** Blob of the address table to put there too; null where `publish-addresses` brings it. */
    addresses: z.string().nullable(),
  }),
  /** pre-stop, drain, stop, post-stop. `next` is what becomes of the machine, of the instance and of its deployment. */
  'stop-instance': inVersion(
    2,
    z.object({
      instance: z.string(),
      vm: z.string(),
      jobs: z.array(z.string()),
      next: z.object({ vm: NextState, instance: NextState, deployment: NextState }),
      /** Arguments of the first call of each drain script. */
      drain: z.array(z.string()),
      /** MiB of the persistent disk, now and when the instance is started again. */
      disk: z.object({ now: z.int(), next: z.int() }),
      skipDrain: z.boolean(),
      /** The instance when it is done: as before, with the state `stopped`; meta keeps `vm`. */
      attributes: InstanceAttributes,
    }),
  ),
  /** Records what a person wants of an instance; nothing is done to it. */
  'record-instance': z.object({ vm: z.string().nullable(), attributes: InstanceAttributes }),
  /** Switches to what was prepared, pre-start, start, watch until healthy, post-start; then the instance runs. */
  'start-instance': inVersion(
    2,
    z.object({
      instance: z.string(),
      index: z.int(),
      deployment: z.string(),
      vm: z.string(),
      attributes: InstanceAttributes,
      jobs: z.array(z.object({ name: z.string(), rendered: z.string() })),
      packages: z.array(z.object({ name: z.string(), key: z.string() })),
      watch,
      /** Materials that stand no more once it has started: that post-deploy scripts have run since. */
      voids: z.array(z.string()).exactOptional(),
    }),
  ),
  /**
   * Runs the `post-deploy` scripts of all machines named, then `post-deploy/<deployment>` exists with `{ of }`; without
   * machines it is gone.
   */
  'run-post-deploy': z.object({
    machines: z.array(z.object({ instance: z.string(), vm: z.string(), jobs: z.array(z.string()) })),
    of: z.string(),
  }),
  /**
   * Puts the canonical JSON of `records` into the blobstore, where its digest is `table`, and writes it to every VM
   * named. Then `addresses/<deployment>` exists with `{ table }`; without records it is gone.
   */
  'publish-addresses': z.object({
    deployment: z.string(),
    records: z.array(AddressRecord),
    table: z.string(),
    vms: z.array(z.string()),
  }),
} as const

export type StepName = keyof typeof inputs
export type StepInput<S extends StepName> = z.infer<(typeof inputs)[S]>
