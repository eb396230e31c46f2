import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import type { Fence, VmRequest } from '../../shared/provider/provider.ts'

/** One agent binary for all tests, kept where tools keep their caches: compiling it is not what they are about. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
const shared = join(writable(cache) ? cache : tmpdir(), 'remodel-agent')

/** A provider in a directory of its own, with a stemcell. `leave` deletes all and fails on anything left behind. */
export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), 'remodel-provider-'))
  readonly said: string[] = []
  readonly provider = new LocalProvider({ directory: this.directory, log: (message) => this.said.push(message) })
  stemcell = ''
  #seen = new Set<string>()

  static async make(): Promise<Place> {
    const place = new Place()
    const compiled = new LocalProvider({ directory: shared })
    await compiled.importStemcell({ name: 'host', version: '1' })
    mkdirSync(join(place.directory, 'bin'))
    // Another test file may be compiling beside it; only finished ones have this name.
    for (const name of readdirSync(join(shared, 'bin')).filter((name) => /^agent-[0-9a-f]+$/.test(name))) {
      copyFileSync(join(shared, 'bin', name), join(place.directory, 'bin', name))
    }
    place.stemcell = await place.provider.importStemcell({ name: 'host', version: '1' })
    return place
  }

  request(id: string, more: Partial<VmRequest> = {}): VmRequest {
    const ownership = { owner: 'deployment/test', purpose: `instance/${id}` }
    return { id, stemcell: this.stemcell, addresses: [], network: 'shared', resources: {}, ownership, ...more }
  }

  /** Remembers all processes that run in VMs now, so that `leave` can tell whether one is left. */
  remember(): void {
    const own = namespaceOf(process.pid)
    const inside = new Set(this.agents().map(namespaceOf))
    inside.delete(own)
    inside.delete(undefined)
    for (const pid of processes()) if (inside.has(namespaceOf(pid))) this.#seen.add(identity(pid))
  }

  /** Process ids of agents and helpers of this directory. */
  agents(): number[] {
    return processes().filter((pid) => commandLine(pid).includes(this.directory))
  }

  async leave(): Promise<void> {
    this.remember()
    for (const vm of await this.provider.listVms()) await this.provider.deleteVm(vm.id, null)
    for (const disk of await this.provider.listDisks()) await this.provider.deleteDisk(disk.id, null)
    await this.expectNothingLeft()
    rmSync(this.directory, { recursive: true })
  }

  async expectNothingRuns(): Promise<void> {
    for (let i = 0; i < 100 && this.agents().length > 0; i++) await sleep(10)
    expect(this.agents()).toEqual([])
  }

  /** No process, no mount of any process, no file of a VM. */
  async expectNothingLeft(): Promise<void> {
    await this.expectNothingRuns()
    expect(processes().filter((pid) => this.#seen.has(identity(pid)))).toEqual([])
    const mounts = processes().filter((pid) => read(`/proc/${pid}/mountinfo`).includes(this.directory))
    expect(mounts).toEqual([])
    expect(readdirSync(join(this.directory, 'vms'))).toEqual([])
    expect(readdirSync(join(this.directory, 'tmp'))).toEqual([])
  }
}

export function fence(number: number, scope = 'instance/web/0'): Fence {
  return { scope, number }
}

export async function until(what: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<number> {
  const start = performance.now()
  while (!(await what())) {
    if (performance.now() - start > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(5)
  }
  return performance.now() - start
}

export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

/** Number and start time: neither namespaces nor process ids are unique for long. A zombie is only a number. */
function identity(pid: number): string {
  const words = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? []
  return words[0] === 'Z' ? '' : `${pid} ${words[19]}`
}

export function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return undefined
  }
}

function writable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
