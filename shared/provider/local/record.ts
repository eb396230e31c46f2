import { readdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
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

/** Ids that have a directory. One without its record is left of a crash before the first or after the last step: removed. */
export async function ids(directory: string, kind: 'vms' | 'disks'): Promise<string[]> {
  return (await readdir(join(directory, kind)).catch(() => [])).sort()
}

export async function readVmRecord(directory: string, id: string): Promise<VmRecord | undefined> {
  const json = await text(join(directory, 'vms', id, 'vm.json'))
  if (json !== undefined) return JSON.parse(json) as VmRecord
  // Only an empty directory goes; whoever is just making it makes it again.
  await rmdir(join(directory, 'vms', id)).catch(() => {})
  return undefined
}

/** Committed and alive: `running`; committed and its PID 1 gone: `dead`; not committed: `creating`, whoever makes it. */
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
async function attachedTo(directory: string, disk: string): Promise<string | undefined> {
  const [vm, of] = (await text(join(directory, 'disks', disk, 'attached')))?.trim().split(' ') ?? []
  return vm !== undefined && of === (await incarnation(directory, vm)) ? vm : undefined
}

/** Undefined too where its ownership has not these values. */
export async function readDisk(directory: string, id: string, filter?: Partial<Ownership>): Promise<Disk | undefined> {
  const json = await text(join(directory, 'disks', id, 'disk.json'))
  if (json === undefined) {
    await rmdir(join(directory, 'disks', id)).catch(() => {})
    return undefined
  }
  const record = JSON.parse(json) as DiskRecord
  if (!owned(record.ownership, filter)) return undefined
  const vm = await attachedTo(directory, id)
  return { ...record, ...(vm === undefined ? {} : { vm }) }
}

export async function readDisks(directory: string, filter?: Partial<Ownership>): Promise<Disk[]> {
  const disks = await Promise.all((await ids(directory, 'disks')).map((id) => readDisk(directory, id, filter)))
  return disks.filter((disk) => disk !== undefined)
}

/** `disks`: all disks, read once for many VMs. Undefined too where its ownership has not these values: then it is not asked. */
export async function readVm(
  directory: string,
  id: string,
  { disks, filter }: { disks?: readonly Disk[]; filter?: Partial<Ownership> | undefined } = {},
): Promise<Vm | undefined> {
  const record = await readVmRecord(directory, id)
  if (!record || !owned(record.ownership, filter)) return undefined
  const state = await vmState(directory, id)
  const attached = (disks ?? (await readDisks(directory))).filter((disk) => disk.vm === id).map((disk) => disk.id)
  const { stemcell, addresses, ownership, createdAt } = record
  return { id, state, stemcell, addresses, ownership, disks: attached, createdAt }
}
