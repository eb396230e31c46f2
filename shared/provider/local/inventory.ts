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
 * away since, the others are not even looked at: an id keeps its owner for as long as its folder is there.
 */
export class Inventory {
  readonly #directory: string
  readonly #vms: ReplacedFiles<VmRecord>
  readonly #disks: ReplacedFiles<DiskRecord>
  readonly #attachments: ReplacedFiles<string>

  constructor(directory: string) {
    this.#directory = directory
    this.#vms = new ReplacedFiles(vmRecordAt)
    this.#disks = new ReplacedFiles(diskRecordAt)
    this.#attachments = new ReplacedFiles(attachmentAt)
  }

  async vms(filter?: Partial<Ownership>): Promise<Vm[]> {
    const ids = await this.#idsOf('vms', this.#vms, filter)
    // Read anew: it may have gone meanwhile, or be another machine in the folder of a delete that was interrupted.
    const wanted = (await Promise.all(ids.map((id) => readVmRecord(this.#directory, id))))
      .filter((one) => one !== undefined)
      .filter(({ ownership }) => owned(ownership, filter))
    if (wanted.length === 0) return []
    const disks = await this.#disksByVm(new Set(wanted.map(({ id }) => id)))
    return Promise.all(wanted.map((one) => vmOf(this.#directory, one, disks.get(one.id) ?? [])))
  }

  async vm(id: string): Promise<Vm | undefined> {
    const record = await readVmRecord(this.#directory, id)
    if (!record) return undefined
    const disks = await this.#disksByVm(new Set([id]))
    return vmOf(this.#directory, record, disks.get(id) ?? [])
  }

  async disks(filter?: Partial<Ownership>): Promise<Disk[]> {
    const ids = await this.#idsOf('disks', this.#disks, filter)
    // Read anew: it may have gone meanwhile, and what it is attached to comes with it.
    const found = await Promise.all(ids.map((id) => readDisk(this.#directory, id, filter)))
    return found.filter((disk) => disk !== undefined)
  }

  /** Ids of the disks that are attached to each of these machines. */
  async #disksByVm(vms: ReadonlySet<string>): Promise<Map<string, string[]>> {
    const ids = await this.#ids('disks')
    const texts = await this.#attachments.all(ids.map((id) => join(this.#directory, 'disks', id, 'attached')))
    const found = new Map<string, string[]>()
    for (const [i, text] of texts.entries()) {
      const vm = text?.trim().split(' ')[0] ?? ''
      if (!vms.has(vm) || !(await holds(this.#directory, vm, text!))) continue
      found.set(vm, [...(found.get(vm) ?? []), ids[i]!])
    }
    return found
  }

  /** Of those that a filter lets through. */
  async #idsOf(
    kind: Kind,
    files: ReplacedFiles<VmRecord> | ReplacedFiles<DiskRecord>,
    filter?: Partial<Ownership>,
  ): Promise<string[]> {
    const folder = join(this.#directory, kind)
    // Before it is listed: what comes meanwhile changes it.
    const records = await files.listed(settledStamp(folder), () => this.#paths(kind))
    return records.flatMap((record) => (owned(record.ownership, filter) ? [record.id] : []))
  }

  async #paths(kind: Kind): Promise<string[]> {
    const file = kind === 'vms' ? 'vm.json' : 'disk.json'
    return (await this.#ids(kind)).map((id) => join(this.#directory, kind, id, file))
  }

  async #ids(kind: Kind): Promise<string[]> {
    return (await readdir(join(this.#directory, kind)).catch(() => [])).sort()
  }
}
