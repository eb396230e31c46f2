import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { RemodelError, toError } from '../../runtime/errors.ts'
import type { Connection } from '../connection.ts'
import type { Disk, Fence, Ownership, Provider, Vm, VmRequest } from '../provider.ts'
import { agentBinary } from './binary.ts'
import { LocalConnection } from './connection.ts'
import { type Change, runHelper } from './helper.ts'
import { hiddenDirectories } from './hidden.ts'
import { injected } from './inject.ts'
import { Inventory } from './inventory.ts'
import { checkFence, checkId, mountLine } from './names.ts'
import { type DiskRecord, readDisk, readVmRecord, type VmRecord, vmState } from './record.ts'
import { importStemcell, stemcellRoot } from './stemcell.ts'

export interface LocalProviderOptions {
  /**
   * Where everything is kept. Many processes may use it at once; it must not be on an overlay or a network file system.
   */
  directory: string
  /**
   * What machines on this computer's own root must not see; always hidden are this directory and the homes of users.
   */
  hidden?: readonly string[]
  /** Told once of each limit this machine cannot enforce. */
  log?: (message: string) => void
  /** Milliseconds since the epoch. */
  now?: () => number
}

/**
 * VMs of Linux namespaces on this machine (design 5). Every change is made by a helper process that holds the lock of
 * its VM or disk (helper.ts, agent/), so this class keeps no state but the path of the helper.
 */
export class LocalProvider implements Provider {
  readonly name = 'local'
  readonly directory: string
  readonly #inventory: Inventory
  readonly #log: (message: string) => void
  readonly #now: () => number
  readonly #hidden: readonly string[]
  readonly #said = new Set<string>()
  #ready: Promise<string> | undefined

  constructor({ directory, hidden = [], log = () => {}, now = Date.now }: LocalProviderOptions) {
    this.directory = resolve(directory)
    this.#inventory = new Inventory(this.directory)
    this.#hidden = [this.directory, ...hidden]
    this.#log = log
    this.#now = now
  }

  async check(): Promise<void> {
    if (process.platform !== 'linux') throw new RemodelError('unsupported', 'the local provider needs Linux')
    const binary = await this.#prepare()
    await runHelper({ binary, directory: this.directory }, { verb: 'prune', words: [], fence: null })
    // Only making one shows what kernel, file system and user may do together; made in a place of its
    // own, it is in no list.
    const probe = join(this.directory, 'tmp', `check-${randomBytes(6).toString('hex')}`)
    try {
      await makeFolders(probe)
      const hidden = await this.#hiddenLines()
      const words = ['check', '/', 'none', '', '', hidden, '', '', '', '{}', 'trial']
      await runHelper({ binary, directory: probe }, { verb: 'create_vm', words, fence: null })
    } catch (cause) {
      if (cause instanceof RemodelError && cause.code === 'unsupported') throw cause
      const message = toError(cause).message
      throw new RemodelError('unsupported', `this machine cannot make local VMs: ${message}`, { cause })
    } finally {
      await rm(probe, { recursive: true, force: true })
    }
  }

  async importStemcell(stemcell: { name: string; version: string; digest?: string; image?: string }): Promise<string> {
    await this.#prepare()
    return importStemcell(this.directory, stemcell)
  }

  async createVm(request: VmRequest, fence: Fence, signal?: AbortSignal): Promise<Vm> {
    const { id, stemcell, addresses, network, resources, ownership, mounts = [], renewable = false } = request
    checkId('VM', id)
    const lower = await stemcellRoot(this.directory, stemcell)
    const record: VmRecord = {
      id,
      stemcell,
      addresses,
      network,
      resources,
      ownership,
      mounts,
      renewable,
      createdAt: this.#now(),
    }
    const hosts = ['127.0.0.1 localhost', ...addresses.map((address) => `${address} ${id}`), ''].join('\n')
    const { cpus, memoryMiB, diskMiB } = resources
    const seen = mounts.map(mountLine).join('')
    const hidden = await this.#hiddenLines()
    const limited = [`${cpus ?? ''}`, `${memoryMiB ?? ''}`]
    const words = [
      id,
      lower,
      network,
      hosts,
      seen,
      hidden,
      renewable ? 'renewable' : '',
      ...limited,
      JSON.stringify(record),
      '',
    ]
    const [, limits] = await this.#change(id, { verb: 'create_vm', words, fence }, signal)
    if (limits === 'unlimited')
      this.#sayOnce('limits of cpu and memory are not enforced: no writable cgroup v2 with both')
    if (diskMiB !== undefined) this.#sayOnce('limits of disk space are not enforced')
    const vm = await this.findVm(id)
    if (!vm) throw new RemodelError('infrastructure', `VM ${id} was deleted while it was made`)
    if (vm.stemcell !== stemcell) {
      throw new RemodelError(
        'conflict',
        `VM ${id} exists already with stemcell ${vm.stemcell}, asked for was ${stemcell}`,
      )
    }
    return vm
  }

  async deleteVm(id: string, fence: Fence | null): Promise<void> {
    checkId('VM', id)
    await this.#change(id, { verb: 'delete_vm', words: [id], fence })
  }

  async findVm(id: string): Promise<Vm | undefined> {
    checkId('VM', id)
    return this.#inventory.vm(id)
  }

  async listVms(filter?: Partial<Ownership>): Promise<Vm[]> {
    return this.#inventory.vms(filter)
  }

  async createDisk(disk: { id: string; sizeMiB: number; ownership: Ownership }, fence: Fence): Promise<Disk> {
    const { id, sizeMiB, ownership } = disk
    checkId('disk', id)
    const record: DiskRecord = { id, sizeMiB, ownership }
    await this.#change(id, { verb: 'create_disk', words: [id, JSON.stringify(record)], fence })
    this.#sayOnce('limits of disk space are not enforced')
    const made = await readDisk(this.directory, id)
    if (!made) throw new RemodelError('infrastructure', `disk ${id} was deleted while it was made`)
    return made
  }

  async resizeDisk(id: string, sizeMiB: number, fence: Fence): Promise<void> {
    checkId('disk', id)
    const disk = await readDisk(this.directory, id)
    if (!disk) throw new RemodelError('not-found', `there is no disk ${id}`)
    if (sizeMiB < disk.sizeMiB) {
      throw new RemodelError('invalid-input', `disk ${id} has ${disk.sizeMiB} MiB and cannot shrink to ${sizeMiB} MiB`)
    }
    const record: DiskRecord = { id, sizeMiB, ownership: disk.ownership }
    await this.#change(id, { verb: 'resize_disk', words: [id, JSON.stringify(record)], fence })
  }

  async deleteDisk(id: string, fence: Fence | null): Promise<void> {
    checkId('disk', id)
    await this.#change(id, { verb: 'delete_disk', words: [id], fence })
  }

  async findDisk(id: string): Promise<Disk | undefined> {
    checkId('disk', id)
    return readDisk(this.directory, id)
  }

  async listDisks(filter?: Partial<Ownership>): Promise<Disk[]> {
    return this.#inventory.disks(filter)
  }

  async attachDisk(vm: string, disk: string, fence: Fence): Promise<void> {
    checkId('VM', vm)
    checkId('disk', disk)
    const [machine, found] = await Promise.all([readVmRecord(this.directory, vm), readDisk(this.directory, disk)])
    // One that is not there is refused by the agent, after a look at the fence.
    const foreign = machine && found && machine.ownership.owner !== found.ownership.owner ? 'foreign' : ''
    await this.#change(disk, { verb: 'attach_disk', words: [vm, disk, foreign], fence })
  }

  async detachDisk(vm: string, disk: string, fence: Fence): Promise<void> {
    checkId('VM', vm)
    checkId('disk', disk)
    await this.#change(disk, { verb: 'detach_disk', words: [vm, disk], fence })
  }

  async fenceOff(fences: readonly Fence[], of: Partial<Ownership>, only?: readonly string[]): Promise<string[]> {
    for (const fence of fences) checkFence(fence)
    const words = fences.flatMap(({ scope, number }) => [scope, String(number)])
    await this.#change('*', { verb: 'fence_off', words: [String(fences.length), ...words], fence: null })
    // From here on nothing is made under a smaller number: what is listed now is all that may run something under one.
    const machines = (await this.listVms(of)).filter(
      ({ id, state }) => state === 'running' && (only?.includes(id) ?? true),
    )
    const silent: string[] = []
    await inTurns(machines, async ({ id }) => {
      const connection = new LocalConnection({ directory: this.directory, id }, null, () => this.#prepare())
      await connection.remember(fences).catch(() => silent.push(id))
    })
    return silent.sort()
  }

  async connect(vm: string, fence: Fence | null): Promise<Connection> {
    checkId('VM', vm)
    if (!(await readVmRecord(this.directory, vm))) throw new RemodelError('not-found', `there is no VM ${vm}`)
    const state = await vmState(this.directory, vm)
    if (state !== 'running') throw new RemodelError('infrastructure', `VM ${vm} is ${state}`)
    const connection = new LocalConnection({ directory: this.directory, id: vm }, fence, () => this.#prepare())
    await connection.ping()
    return connection
  }

  async #change(id: string, change: Change, signal?: AbortSignal): Promise<string[]> {
    const { verb, words, fence } = change
    checkFence(fence)
    if (words.some((word) => word.includes('\0'))) throw new RemodelError('invalid-input', `${verb} ${id}: a NUL byte`)
    const binary = await this.#prepare()
    return injected(this.directory, verb, id, () => runHelper({ binary, directory: this.directory }, change, signal))
  }

  /** Directories and the binary, once a process; tried again after a failure. */
  #prepare(): Promise<string> {
    this.#ready ??= (async () => {
      await makeFolders(this.directory)
      return agentBinary(this.directory)
    })().catch((error) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** Asked for each machine: a user may have come meanwhile. */
  async #hiddenLines(): Promise<string> {
    return (await hiddenDirectories(this.#hidden)).map((path) => `${path}\n`).join('')
  }

  #sayOnce(message: string): void {
    if (this.#said.has(message)) return
    this.#said.add(message)
    this.#log(message)
  }
}

async function makeFolders(directory: string): Promise<void> {
  for (const folder of ['vms', 'disks', 'stemcells', 'fences', 'tmp']) {
    await mkdir(join(directory, folder), { recursive: true })
  }
}

/** How many machines are talked to at a time. */
const atATime = 32

async function inTurns<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const item of left) await run(item)
    }),
  )
}
