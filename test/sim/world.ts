import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { Header } from 'tar'
import { z } from 'zod'
import type { Step, StepResult } from '../../kinds/contract/step.ts'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { Connection, ExecOptions, ExecResult } from '../../shared/provider/connection.ts'
import { owned } from '../../shared/provider/ownership.ts'
import type { Fence, Ownership, Provider, Vm } from '../../shared/provider/provider.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import type { Random } from './random.ts'
import type { Process, Scheduler } from './scheduler.ts'

/** Something that was changed, in the order it happened. */
export interface Effect {
  at: number
  by: string
  scope: string
  fence: number
  /** `<plan> <remodel> <part>`, or `compile <key>`. */
  what: string
}

/** What the step `work` of a simulated plan is given. */
export const workInput = z.object({
  ms: z.number(),
  /** Changes it makes, one after the other. */
  parts: z.int(),
  /** `broken`: always fails; `flaky`: fails the first time it is tried. */
  nature: z.enum(['sound', 'broken', 'flaky']),
  /** How often it says that it is to be looked at again, before each of its parts. */
  looks: z.int(),
  op: z.string(),
})
export type WorkInput = z.infer<typeof workInput>

/**
 * What remodels change: one resource for each material, which keeps the largest fence it was shown and refuses smaller
 * ones in the same step as the change, and the machines compilers make. It forgets nothing and never fails by itself:
 * what is lost is lost on the way to it.
 */
export class World {
  readonly effects: Effect[] = []
  readonly vms = new Map<string, Vm & { fences: Map<string, number> }>()
  /** Told of an accepted change before anything else happens. */
  changed: (effect: Effect) => void = () => {}
  readonly #fences = new Map<string, number>()
  readonly #done = new Set<string>()
  readonly #tried = new Set<string>()
  readonly #looks = new Map<string, number>()
  readonly #scheduler: Scheduler
  readonly #random: Random

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler
    this.#random = random
  }

  /** Asks the world: what leaves a process arrives though the process dies; the answer does not. */
  ask<T>(process: Process, execute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(this.#random.between(0.2, 3), null, () => {
        let answer: () => void
        try {
          const value = execute()
          answer = () => resolve(value)
        } catch (error) {
          answer = () => reject(error)
        }
        this.#scheduler.after(this.#random.between(0.2, 3), process, answer)
      })
    })
  }

  change(by: string, fence: Fence, what: string): void {
    refuseOld(this.#fences, fence)
    this.#done.add(what)
    const effect = { at: this.#scheduler.now, by, scope: fence.scope, fence: fence.number, what }
    this.effects.push(effect)
    this.changed(effect)
  }

  /** Others ended an attempt: what it may still do is refused from here on. */
  fenceOff({ scope, number }: Fence): void {
    this.#fences.set(scope, Math.max(number, this.#fences.get(scope) ?? 0))
  }

  compiled(by: string, vm: string, fence: Fence, key: string): void {
    const machine = this.vms.get(vm)
    if (!machine) throw new RemodelError('infrastructure', `there is no VM ${vm}`)
    refuseOld(machine.fences, fence)
    this.effects.push({ at: this.#scheduler.now, by, scope: fence.scope, fence: fence.number, what: `compile ${key}` })
  }

  /** The only kind of step that simulated plans have. */
  step(process: Process): Step<typeof workInput> {
    const result = async (material: string, input: WorkInput): Promise<StepResult | null> => {
      const done = await this.ask(process, () => this.#done.has(`${input.op} ${input.parts - 1}`))
      return done ? { floorplan: { [material]: { attributes: { op: input.op }, needs: [], meta: {} } } } : null
    }
    return {
      input: workInput,
      look: ({ material }, input) => result(material, input),
      apply: async ({ fence, signal, say }, input) => {
        say('working')
        for (let part = 0; part < input.parts; part++) {
          if (await this.ask(process, () => this.#looksAgain(input, part)))
            return { for: `part ${part} of ${input.op}`, afterMs: input.ms }
          await sleep(input.ms / input.parts, signal)
          if (input.nature === 'broken') throw new RemodelError('job-failed', `${input.op} is broken`)
          if (input.nature === 'flaky' && !this.#tried.has(input.op)) {
            this.#tried.add(input.op)
            throw new RemodelError('infrastructure', `${input.op} is flaky`)
          }
          await this.ask(process, () => this.change(process.name, fence, `${input.op} ${part}`))
        }
        return undefined
      },
      verify: async ({ material }, input) => {
        const actual = await result(material, input)
        if (!actual) throw new RemodelError('infrastructure', `${input.op} was not done`)
        return actual
      },
    }
  }

  /**
   * What is waited for comes about by being looked at; part after part is waited for, also after those that are done.
   */
  #looksAgain({ op, looks }: WorkInput, part: number): boolean {
    const seen = this.#looks.get(`${op} ${part}`) ?? 0
    this.#looks.set(`${op} ${part}`, seen + 1)
    return seen < looks
  }

  provider(process: Process, compileMs: (key: string) => number): Provider {
    const world = this
    const missing = () => Promise.reject(new Error('simulated plans need no disks'))
    return {
      name: 'simulated',
      check: async () => {},
      importStemcell: async ({ name, version }) => `${name}/${version}`,
      createVm: (request, fence) =>
        this.ask(process, () => {
          const vm = { ...request, state: 'running' as const, disks: [], createdAt: this.#scheduler.now }
          this.vms.set(request.id, { ...vm, fences: new Map([[fence.scope, fence.number]]) })
          return vm
        }),
      deleteVm: (id) => this.ask(process, () => void this.vms.delete(id)),
      findVm: async (id) => this.vms.get(id),
      listVms: (filter: Partial<Ownership> = {}) =>
        this.ask(process, () => [...this.vms.values()].filter((vm) => owned(vm.ownership, filter))),
      createDisk: missing,
      deleteDisk: missing,
      resizeDisk: missing,
      findDisk: missing,
      listDisks: missing,
      attachDisk: missing,
      detachDisk: missing,
      fenceOff: (fences) =>
        this.ask(process, () => {
          for (const fence of fences) this.fenceOff(fence)
          return []
        }),
      connect: async (vm, fence) => connection(vm, fence!),
    }

    function connection(vm: string, fence: Fence): Connection {
      const alive = () =>
        world.ask(process, () => {
          if (!world.vms.has(vm)) throw new RemodelError('infrastructure', `VM ${vm} does not answer`)
        })
      const unused = () => Promise.reject(new Error('compiling needs no processes'))
      return {
        exec: async (argv, options: ExecOptions = {}) => {
          await alive()
          if (!argv.includes('packaging')) return ended(0)
          const key = fence.scope.slice('package/'.length)
          try {
            await sleep(compileMs(key), options.signal)
          } catch {
            return { ...ended(null), signal: 'SIGKILL' }
          }
          if (key.startsWith('broken')) return ended(1)
          await world.ask(process, () => world.compiled(process.name, vm, fence, key))
          return ended(0)
        },
        unpack: alive,
        write: alive,
        read: unused,
        stream: () => Readable.from([archiveOf(fence.scope)]),
        dial: unused,
        supervise: unused,
        start: unused,
        stop: unused,
        status: unused,
        watch: unused,
        renew: async () => {
          await alive()
          return { freeBytes: 2 ** 40 }
        },
        endProcesses: alive,
        close: () => {},
      }
    }
  }

  /** Kept for good, as the real one. */
  blobs(process: Process): Blobstore {
    const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const unused = () => Promise.reject(new Error('compiling deletes nothing'))
    return {
      put: async (content: Readable) => {
        const bytes = Buffer.concat(await content.toArray())
        return this.ask(process, () => ({ digest: digestOf(bytes), size: bytes.length }))
      },
      has: async () => true,
      keep: async () => true,
      describe: async () => ({ size: 0, changedAt: 0 }),
      stream: async () => Readable.from([]),
      delete: unused,
      list: async function* () {},
    } as unknown as Blobstore
  }
}

function ended(exitCode: number | null): ExecResult {
  return { exitCode, signal: null, stdout: '', stderr: '' }
}

function refuseOld(fences: Map<string, number>, fence: Fence): void {
  const last = fences.get(fence.scope) ?? 0
  if (fence.number < last) {
    throw new RemodelError('superseded', `${fence.scope} was shown fence ${last}, this is ${fence.number}`)
  }
  fences.set(fence.scope, fence.number)
}

/** Waits; throws the signal's reason where it fires meanwhile. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const aborted = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    }, ms)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** A compressed tar with one empty file of this name. */
function archiveOf(path: string): Buffer {
  const blocks = Buffer.alloc(3 * 512)
  new Header({ path, type: 'File', size: 0, mode: 0o644 }).encode(blocks, 0)
  return gzipSync(blocks)
}
