import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompileSpec } from '../../shared/compile/requests.ts'
import { toError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { importStemcell } from '../../shared/provider/stemcell.ts'

export interface CompileVm {
  id: string
  stemcell: string
  /** How many packages it compiled before. */
  used: number
}

/** How long an idle VM is kept for the next package or the next deploy. */
const idleMs = 30_000

/**
 * The compile VMs of one compiler process: made when needed, taken again where the stemcell fits, thrown away when they
 * were idle for long, when their package failed, or when another stemcell needs the room.
 *
 * They belong to this process alone (`compiler/<worker>`), so taking one needs no lock; what a dead compiler left is swept
 * by the others (`sweep.ts`).
 */
export class CompilePool {
  readonly #provider: Provider
  readonly #blobs: Blobstore
  readonly #worker: string
  readonly #capacity: number
  readonly #log: Logger
  readonly #idle: CompileVm[] = []
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #made = 0
  #count = 0

  constructor(parts: { provider: Provider; blobs: Blobstore; worker: string; capacity: number; log: Logger }) {
    this.#provider = parts.provider
    this.#blobs = parts.blobs
    this.#worker = parts.worker
    this.#capacity = parts.capacity
    this.#log = parts.log
  }

  /** A VM of the package's stemcell: an idle one where VMs are reused, else a new one. */
  async take(spec: CompileSpec, signal: AbortSignal): Promise<CompileVm> {
    const stemcell = `${spec.stemcell.name}/${spec.stemcell.version}`
    for (let vm = spec.reuse ? this.#pick(stemcell) : undefined; vm; vm = this.#pick(stemcell)) {
      if ((await this.#provider.findVm(vm.id))?.state === 'running') return vm
      await this.#destroy(vm)
    }
    const other = this.#count >= this.#capacity ? this.#idle.shift() : undefined
    if (other) await this.#destroy(other)
    return this.#make(spec, stemcell, signal)
  }

  /** Gives a VM back. One whose package failed is never handed on. */
  async give(vm: CompileVm, outcome: { ok: boolean; reuse: boolean }): Promise<void> {
    if (!outcome.ok || !outcome.reuse) return this.#destroy(vm)
    vm.used += 1
    this.#idle.push(vm)
    const timer = setTimeout(() => {
      const at = this.#idle.indexOf(vm)
      if (at >= 0) this.#idle.splice(at, 1)
      this.#destroy(vm).catch((error) =>
        this.#log.warn({ vm: vm.id, err: toError(error) }, 'an idle compile VM could not be deleted'),
      )
    }, idleMs)
    this.#timers.set(vm.id, timer)
  }

  /** Takes an idle VM of this stemcell out of the pool; it may have died while nobody looked. */
  #pick(stemcell: string): CompileVm | undefined {
    const fitting = this.#idle.findIndex((vm) => vm.stemcell === stemcell)
    if (fitting < 0) return undefined
    const [vm] = this.#idle.splice(fitting, 1)
    clearTimeout(this.#timers.get(vm!.id))
    return vm
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await Promise.all(this.#idle.splice(0).map((vm) => this.#destroy(vm)))
  }

  async #make(spec: CompileSpec, stemcell: string, signal: AbortSignal): Promise<CompileVm> {
    const id = `vm-${this.#worker}-${++this.#made}`
    this.#count += 1
    try {
      const root = await importStemcell(this.#provider, this.#blobs, {
        name: spec.stemcell.name,
        version: spec.stemcell.version,
        ...(spec.stemcell.digest === undefined ? {} : { digest: spec.stemcell.digest }),
      })
      await this.#provider.createVm(
        {
          id,
          stemcell: root,
          addresses: [],
          network: 'none',
          resources: {},
          ownership: { owner: `compiler/${this.#worker}`, purpose: `compile on ${stemcell}` },
        },
        { scope: id, number: 1 },
        signal,
      )
      await failpoint('compiler.vm-made')
      return { id, stemcell, used: 0 }
    } catch (error) {
      await this.#destroy({ id, stemcell, used: 0 })
      throw error
    }
  }

  async #destroy(vm: CompileVm): Promise<void> {
    this.#count -= 1
    clearTimeout(this.#timers.get(vm.id))
    this.#timers.delete(vm.id)
    await this.#provider.deleteVm(vm.id, null)
  }
}
