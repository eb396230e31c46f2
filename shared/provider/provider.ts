import type { Connection } from './connection.ts'

/**
 * A fence of one material: a number that only grows, of one attempt alone. Whatever a provider or a machine changes on
 * behalf of a remodel is shown the fence of that remodel; a number smaller than the largest one seen for the scope is
 * refused with `superseded`, in the same step as the change would have been made.
 */
export interface Fence {
  /** The material id. */
  scope: string
  number: number
}

/** Facts about a VM that its owner stored on it when it asked for it. Cleanup goes by these, never by name patterns. */
export interface Ownership {
  /** `deployment/<name>` or `compiler/<worker id>`. */
  owner: string
  /** The material or purpose it was made for: `instance/web/0`. */
  purpose: string
  [key: string]: string
}

/** Limits of a VM; what the machine cannot enforce is ignored, and said once in the log. */
export interface VmResources {
  cpus?: number
  memoryMiB?: number
  diskMiB?: number
}

export interface VmRequest {
  /** Chosen by the caller before the call (the intent); the same id asked for twice gives the same VM. */
  id: string
  /** The root the VM starts from: a stemcell's cloud id, as `importStemcell` returned it. */
  stemcell: string
  /** Addresses the VM owns: its processes listen on these. */
  addresses: string[]
  /** `none`: no network at all, not even loopback to other VMs (compile VMs). */
  network: 'shared' | 'none'
  resources: VmResources
  ownership: Ownership
  /**
   * Directories of this machine that the VM sees, for reading only: `source` wherever it lies, `target` below
   * `/var/vcap`. A VM sees what was there when it was made: a directory that is replaced since is seen by new VMs only.
   */
  mounts?: readonly { source: string; target: string }[]
  /** `Connection.renew` makes it as new. Such a VM runs commands; it supervises nothing and has no disk. */
  renewable?: boolean
}

export interface Vm {
  id: string
  state: 'running' | 'creating' | 'dead'
  stemcell: string
  addresses: string[]
  ownership: Ownership
  /** Ids of attached disks. */
  disks: string[]
  /** Milliseconds since the epoch. */
  createdAt: number
}

export interface Disk {
  id: string
  sizeMiB: number
  ownership: Ownership
  /** The VM it is attached to, if any. */
  vm?: string
}

/**
 * Makes machines. Every call is idempotent by the ids the caller chose, so a call whose answer was lost may be
 * repeated. All calls throw `RemodelError`: `infrastructure` where another try may help, `superseded` where
 * the fence is too small.
 */
export interface Provider {
  readonly name: string
  /** Throws `unsupported` with one sentence that says what this machine lacks. */
  check(): Promise<void>
  /**
   * `image` is a directory or tarball of a root file system, `digest` what it was stored under; without an image it is
   * the machine's own root. Returns a cloud id, another one for each name, version and digest.
   */
  importStemcell(stemcell: { name: string; version: string; digest?: string; image?: string }): Promise<string>
  /** Ready when it returns: the agent answers. A half-made VM of the same id is finished or replaced. */
  createVm(request: VmRequest, fence: Fence, signal?: AbortSignal): Promise<Vm>
  /**
   * Kills every process of the VM, unmounts, forgets it. A VM that does not exist is success. Attached disks survive.
   */
  deleteVm(id: string, fence: Fence | null): Promise<void>
  findVm(id: string): Promise<Vm | undefined>
  /**
   * All VMs whose ownership has these values; half-made ones too. An `owner` that ends in a slash stands for all owners
   * of that kind: `compiler/`. Only those are looked at.
   */
  listVms(filter?: Partial<Ownership>): Promise<Vm[]>
  createDisk(disk: { id: string; sizeMiB: number; ownership: Ownership }, fence: Fence): Promise<Disk>
  deleteDisk(id: string, fence: Fence | null): Promise<void>
  /** Only ever larger; what is on it stays. */
  resizeDisk(id: string, sizeMiB: number, fence: Fence): Promise<void>
  findDisk(id: string): Promise<Disk | undefined>
  listDisks(filter?: Partial<Ownership>): Promise<Disk[]>
  /**
   * Mounts the disk at `/var/vcap/store` of a running VM of the same owner. A disk that is attached to another VM is
   * refused with `conflict`, and so is one of another owner.
   */
  attachDisk(vm: string, disk: string, fence: Fence): Promise<void>
  detachDisk(vm: string, disk: string, fence: Fence): Promise<void>
  /**
   * Fences off attempts whose workers may still be at work: from then on a smaller number of these scopes is
   * refused by all machines and disks of that ownership, those that are made later included, and what runs under
   * one is ended. With `only` no other machines are looked at. Returns the ids of machines that did not answer;
   * they are to be asked again.
   */
  fenceOff(fences: readonly Fence[], of: Partial<Ownership>, only?: readonly string[]): Promise<string[]>
  /**
   * A connection that shows `fence` at once and with every call, and so ends what still runs under a smaller one; null
   * for reads only (logs, status).
   */
  connect(vm: string, fence: Fence | null): Promise<Connection>
}
