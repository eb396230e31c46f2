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

/**
 * All machines and disks of a directory. Every plan asks for those of one deployment, of thousands that may stand here:
 * whose the others are is known from the last time, and only what is asked for is looked at.
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
    const records = await this.#vms.all(await this.#paths('vms', 'vm.json'))
    const wanted = records.filter((one) => one !== undefined).filter(({ ownership }) => owned(ownership, filter))
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
    const records = await this.#disks.all(await this.#paths('disks', 'disk.json'))
    const wanted = records.filter((one) => one !== undefined).filter(({ ownership }) => owned(ownership, filter))
    // Read anew: it may have gone meanwhile, and what it is attached to comes with it.
    const found = await Promise.all(wanted.map(({ id }) => readDisk(this.#directory, id, filter)))
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

  async #paths(kind: 'vms' | 'disks', file: string): Promise<string[]> {
    return (await this.#ids(kind)).map((id) => join(this.#directory, kind, id, file))
  }

  async #ids(kind: 'vms' | 'disks'): Promise<string[]> {
    return (await readdir(join(this.#directory, kind)).catch(() => [])).sort()
  }
}
