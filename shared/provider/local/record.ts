import { readFile, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { owned } from '../ownership.ts'
import type { Disk, Ownership, Vm, VmRequest } from '../provider.ts'
import { listens } from './socket.ts'

/** `vms/<id>/vm.json`: what was asked for, written before anything else is made. */
export interface VmRecord extends VmRequest {
  createdAt: number
}

export type DiskRecord = Omit<Disk, 'vm'>

async function text(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** One without its record is left of a crash before the first or after the last step: only an empty directory goes. */
async function recordAt<T>(path: string): Promise<T | undefined> {
  const json = await text(path)
  if (json !== undefined) return JSON.parse(json) as T
  // The process that is just making it makes it again.
  await rmdir(dirname(path)).catch(() => {})
  return undefined
}

export function vmRecordAt(path: string): Promise<VmRecord | undefined> {
  return recordAt(path)
}

export function diskRecordAt(path: string): Promise<DiskRecord | undefined> {
  return recordAt(path)
}

/** `<vm> <incarnation>`: what a disk is attached to. */
export function attachmentAt(path: string): Promise<string | undefined> {
  return text(path)
}

export function readVmRecord(directory: string, id: string): Promise<VmRecord | undefined> {
  return vmRecordAt(join(directory, 'vms', id, 'vm.json'))
}

/** Committed and alive: `running`; committed and its PID 1 gone: `dead`; not committed: `creating`. */
export async function vmState(directory: string, id: string): Promise<Vm['state']> {
  const ready = (await text(join(directory, 'vms', id, 'ready'))) !== undefined
  if (!ready) return 'creating'
  return (await listens(directory, id)) ? 'running' : 'dead'
}

/** The fifth word of `vms/<id>/pid`: tells a VM from an earlier one of the same id. */
async function incarnation(directory: string, id: string): Promise<string | undefined> {
  return (await text(join(directory, 'vms', id, 'pid')))?.split(' ')[4]
}

/** An attachment counts only for the incarnation of the VM that it was made for. */
export async function holds(directory: string, vm: string, attachment: string): Promise<boolean> {
  return attachment.trim().split(' ')[1] === (await incarnation(directory, vm))
}

/** Undefined too where its ownership has not these values. */
export async function readDisk(directory: string, id: string, filter?: Partial<Ownership>): Promise<Disk | undefined> {
  const record = await diskRecordAt(join(directory, 'disks', id, 'disk.json'))
  if (!record || !owned(record.ownership, filter)) return undefined
  const attachment = await attachmentAt(join(directory, 'disks', id, 'attached'))
  const vm = attachment?.trim().split(' ')[0]
  return { ...record, ...(vm && (await holds(directory, vm, attachment!)) ? { vm } : {}) }
}

/** What a record tells, with how its VM does now. */
export async function vmOf(directory: string, record: VmRecord, disks: string[]): Promise<Vm> {
  const { id, stemcell, addresses, ownership, createdAt } = record
  return { id, state: await vmState(directory, id), stemcell, addresses, ownership, disks, createdAt }
}
