import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { owned } from '../ownership.ts'
import type { Disk, Ownership, Vm } from '../provider.ts'
import {
  attachmentAt,
  type DiskRecord,
  diskRecordAt,
  holds,
  readDisk,
  readVmRecord,
  type VmRecord,
  vmOf,
  vmRecordAt,
} from './record.ts'
import { ReplacedFiles } from './replaced-files.ts'
import { settledStamp } from './settled-folder.ts'

type Kind = 'vms' | 'disks'

/**
 * All machines and disks of a directory. Every plan asks for those of one deployment, of thousands that may be here:
 * whose the others are is known from the last time, and only what is asked for is read. Where none was made or taken
 * away since, the others are not even looked at. Two rules that the agent keeps make this right: an id has its owner
 * for as long as its folder is there, and a disk is attached to machines of its own owner alone.
 */
export class Inventory {
  readonly #directory: string
  readonly #vms: ReplacedFiles<VmRecord>
  readonly #disks: ReplacedFiles<DiskRecord>

  constructor(directory: string) {
    this.#directory = directory
    this.#vms = new ReplacedFiles(vmRecordAt)
    this.#disks = new ReplacedFiles(diskRecordAt)
  }

  async vms(filter?: Partial<Ownership>): Promise<Vm[]> {
    const ids = await this.#idsOf('vms', this.#vms, (ownership) => owned(ownership, filter))
    // Read anew: it may have gone meanwhile, or be another machine in the folder of a delete that was interrupted.
    const wanted = (await Promise.all(ids.map((id) => readVmRecord(this.#directory, id))))
      .filter((one) => one !== undefined)
      .filter(({ ownership }) => owned(ownership, filter))
    if (wanted.length === 0) return []
    const disks = await this.#disksByVm(wanted)
    return Promise.all(wanted.map((one) => vmOf(this.#directory, one, disks.get(one.id) ?? [])))
  }

  async vm(id: string): Promise<Vm | undefined> {
    const record = await readVmRecord(this.#directory, id)
    if (!record) return undefined
    const disks = await this.#disksByVm([record])
    return vmOf(this.#directory, record, disks.get(id) ?? [])
  }

  async disks(filter?: Partial<Ownership>): Promise<Disk[]> {
    const ids = await this.#idsOf('disks', this.#disks, (ownership) => owned(ownership, filter))
    // Read anew: it may have gone meanwhile, and what it is attached to comes with it.
    const found = await Promise.all(ids.map((id) => readDisk(this.#directory, id, filter)))
    return found.filter((disk) => disk !== undefined)
  }

  /** Ids of the disks that are attached to each of these machines. */
  async #disksByVm(machines: readonly VmRecord[]): Promise<Map<string, string[]>> {
    const vms = new Set(machines.map(({ id }) => id))
    const owners = new Set(machines.map(({ ownership }) => ownership.owner))
    const ids = await this.#idsOf('disks', this.#disks, ({ owner }) => owners.has(owner))
    const texts = await Promise.all(ids.map((id) => attachmentAt(join(this.#directory, 'disks', id, 'attached'))))
    const found = new Map<string, string[]>()
    for (const [i, text] of texts.entries()) {
      const vm = text?.trim().split(' ')[0] ?? ''
      if (!vms.has(vm) || !(await holds(this.#directory, vm, text!))) continue
      found.set(vm, [...(found.get(vm) ?? []), ids[i]!])
    }
    return found
  }

  async #idsOf(
    kind: Kind,
    files: ReplacedFiles<VmRecord> | ReplacedFiles<DiskRecord>,
    wanted: (ownership: Ownership) => boolean,
  ): Promise<string[]> {
    const folder = join(this.#directory, kind)
    // Before it is listed: what comes meanwhile changes it.
    const records = await files.listed(settledStamp(folder), () => this.#paths(kind))
    return records.flatMap((record) => (wanted(record.ownership) ? [record.id] : []))
  }

  async #paths(kind: Kind): Promise<string[]> {
    const file = kind === 'vms' ? 'vm.json' : 'disk.json'
    return (await this.#ids(kind)).map((id) => join(this.#directory, kind, id, file))
  }

  async #ids(kind: Kind): Promise<string[]> {
    return (await readdir(join(this.#directory, kind)).catch(() => [])).sort()
  }
}
