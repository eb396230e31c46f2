import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompileVmSpec } from '../../shared/compilation/prewarm-hints.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { toError } from '../../shared/runtime/errors.ts'
import type { VmLease } from './lease.ts'
import { Machines } from './machines.ts'

export interface CompileVm {
  id: string
  /** Stemcell, resources and network: a package is compiled on no other kind than the one it asks for. */
  kind: string
  lease: string
  /** How many packages it compiled before. */
  used: number
  /** `performance.now()` when it was given back. */
  idleSince: number
}

/** How long, and how many, idle VMs are kept. */
export interface IdlePolicy {
  /** For the next package or the next deploy. */
  ms: number
  /** This many at most once nothing has waited to be compiled for `tailMs`. */
  count: number
  tailMs: number
}

/** A VM that is made ahead; a package that needs one meanwhile takes it over. */
interface Warming {
  kind: string
  vm: Promise<CompileVm | null>
  taken: boolean
}

interface PoolParts {
  provider: Provider
  blobs: Blobstore
  worker: string
  /** How many VMs may stand at once. */
  capacity: number
  lease: VmLease
  log: Logger
  keep?: IdlePolicy
  /** How many packages wait for any compiler. */
  waiting?: () => Promise<number>
}

/**
 * The compile VMs of one compiler process.
 *
 * A VM is written into the book under an id that is never used again, then made. From there it is busy (a package has
 * it) or idle, and back; it leaves the book when it is to be deleted, and never comes back. It is deleted when its
 * package failed, when its package wants none but fresh ones, when it was idle for too long, when another kind needs
 * the room (the longest idle one goes, a busy one never), and when the lease ran out. Deletion is asynchronous; only a
 * request that needs the room waits for it.
 *
 * VMs belong to this process alone (`compiler/<worker>`), so taking one needs no lock but the lease of all of them;
 * what is left of a dead compiler, and what of ours could not be deleted, is swept (`sweep.ts`).
 */
export class CompilePool {
  readonly #parts: PoolParts
  readonly #keep: IdlePolicy
  readonly #book = new Map<string, CompileVm>()
  /** The longest idle one first. */
  readonly #idle: CompileVm[] = []
  readonly #warming = new Set<Warming>()
  readonly #machines: Machines
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #made = 0

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#machines = new Machines(parts)
    this.#keep = parts.keep ?? { ms: 30_000, count: parts.capacity, tailMs: 5000 }
    parts.lease.onLost(() => {
      for (const vm of this.#idle.splice(0)) this.#destroy(vm)
    })
  }

  /** True for a VM that is ours to use. One that is not never becomes so again. */
  knows(id: string): boolean {
    return this.#book.has(id)
  }

  /** A VM of the kind that is wished: an idle one where VMs are reused, else one that compiled nothing yet. */
  async take(wish: CompileVmSpec & { reuse: boolean }, signal: AbortSignal): Promise<CompileVm> {
    const kind = kindOf(wish)
    // From here on no sweep can find our lease over, so what we pick stays.
    await this.#parts.lease.hold()
    for (let vm = this.#pick(kind, wish.reuse); vm; vm = this.#pick(kind, wish.reuse)) {
      // It may have died since the last look.
      if (await this.#machines.runs(vm.id)) return vm
      this.#destroy(vm)
    }
    const warm = [...this.#warming].find((one) => one.kind === kind)
    if (warm) {
      this.#warming.delete(warm)
      warm.taken = true
      const vm = await warm.vm
      if (vm) return vm
    }
    return this.#make(await this.#enter(wish, signal), wish, signal)
  }

  /** Gives a VM back. One whose package failed is never handed on. */
  give(vm: CompileVm, { ok, reuse }: { ok: boolean; reuse: boolean }): void {
    vm.used += 1
    if (ok && reuse) this.#rest(vm)
    else this.#destroy(vm)
  }

  /** How many idle VMs there are for this wish, or are being made. */
  ready(wish: CompileVmSpec): number {
    const kind = kindOf(wish)
    return [...this.#idle, ...this.#warming].filter((one) => one.kind === kind).length
  }

  /** Whether a VM can be made without another one going. */
  get hasRoom(): boolean {
    return !this.#closing.signal.aborted && this.#book.size + this.#machines.leaving.size < this.#parts.capacity
  }

  /** Makes a VM ahead of its package, where there is room. */
  async warm(wish: CompileVmSpec): Promise<void> {
    if (!this.hasRoom) return
    const made = this.#make(this.#write(wish), wish, this.#closing.signal).catch((error) => {
      if (!this.#closing.signal.aborted)
        this.#parts.log.warn({ err: toError(error) }, 'a compile VM could not be made ahead of its package')
      return null
    })
    const warming: Warming = { kind: kindOf(wish), vm: made, taken: false }
    this.#warming.add(warming)
    const vm = await made
    this.#warming.delete(warming)
    if (vm && !warming.taken) this.#rest(vm)
  }

  /** Deletes what is idle and waits for all that is on its way out. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await Promise.all([...this.#warming].map(({ vm }) => vm))
    for (const vm of this.#idle.splice(0)) this.#destroy(vm)
    await Promise.all(this.#machines.leaving)
  }

  #pick(kind: string, reuse: boolean): CompileVm | undefined {
    // The one that was used last: those that are not needed any more grow old together.
    const at = this.#idle.findLastIndex((vm) => vm.kind === kind && (reuse || vm.used === 0))
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]
  }

  #rest(vm: CompileVm): void {
    if (this.#closing.signal.aborted || vm.lease !== this.#parts.lease.current) {
      this.#destroy(vm)
      return
    }
    vm.idleSince = performance.now()
    this.#idle.push(vm)
    if (this.#book.size > this.#parts.capacity) this.#destroy(this.#idle.shift()!)
    this.#timer ??= setTimeout(() => this.#tidy(), Math.min(Math.max(this.#keep.ms, 100), 1000))
  }

  /**
   * Takes away what was idle for too long, and in the long tail of a deploy what is more than is kept for the next one.
   */
  async #tidy(): Promise<void> {
    const { ms, count, tailMs } = this.#keep
    const oldest = (than: number) => {
      const [first] = this.#idle
      return first !== undefined && performance.now() - first.idleSince >= than
    }
    while (oldest(ms)) this.#destroy(this.#idle.shift()!)
    if (this.#idle.length > count && oldest(tailMs)) {
      const waiting = this.#parts.waiting ? await this.#parts.waiting().catch(() => 1) : 0
      while (waiting === 0 && this.#idle.length > count && oldest(tailMs)) this.#destroy(this.#idle.shift()!)
    }
    this.#timer = undefined
    if (this.#closing.signal.aborted || this.#idle.length === 0) return
    this.#timer = setTimeout(() => this.#tidy(), Math.min(Math.max(ms, 100), 1000))
  }

  /**
   * A place in the book, as soon as there is room for one more. A request with `orphan_workers` does not wait for those
   * on their way out. Where all others are busy it goes over: only a rebuild, a lane of its own, comes to that.
   */
  async #enter(wish: CompileVmSpec, signal: AbortSignal): Promise<CompileVm> {
    const aborted = Promise.withResolvers<void>()
    const abort = () => aborted.resolve()
    signal.addEventListener('abort', abort, { once: true })
    try {
      for (;;) {
        signal.throwIfAborted()
        const leaving = wish.orphan ? [] : [...this.#machines.leaving]
        if (this.#book.size + leaving.length < this.#parts.capacity) break
        const oldest = leaving.length > 0 ? undefined : this.#idle.shift()
        if (oldest) {
          this.#destroy(oldest)
          continue
        }
        // One that is being made ahead for others is idle as soon as it is there.
        const soon = [...leaving, ...[...this.#warming].map(({ vm }) => vm)]
        if (soon.length === 0) break
        await Promise.race([...soon, aborted.promise])
      }
      return this.#write(wish)
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #write(wish: CompileVmSpec): CompileVm {
    const id = `vm-${this.#parts.worker}-${++this.#made}`
    const vm: CompileVm = { id, kind: kindOf(wish), lease: '', used: 0, idleSince: 0 }
    this.#book.set(id, vm)
    return vm
  }

  async #make(vm: CompileVm, wish: CompileVmSpec, signal: AbortSignal): Promise<CompileVm> {
    try {
      vm.lease = await this.#parts.lease.hold()
      await this.#machines.make(vm.id, vm.lease, wish, signal)
      return vm
    } catch (error) {
      this.#destroy(vm)
      throw error
    }
  }

  #destroy(vm: CompileVm): void {
    this.#book.delete(vm.id)
    this.#machines.delete(vm.id)
  }
}

function kindOf({ stemcell: { name, version, digest }, resources, network }: CompileVmSpec): string {
  const { cpus, memoryMiB, diskMiB } = resources
  return JSON.stringify([name, version, digest, cpus, memoryMiB, diskMiB, network])
}
