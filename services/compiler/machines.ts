import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompileVmSpec } from '../../shared/compilation/prewarm-hints.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { importStemcell } from '../../shared/provider/stemcell.ts'
import { toError } from '../../shared/runtime/errors.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'

interface Parts {
  provider: Provider
  blobs: Blobstore
  worker: string
  log: Logger
}

/** How compile VMs come into being and go. */
export class Machines {
  readonly #parts: Parts
  readonly #leaving = new Set<Promise<void>>()
  readonly #roots = new Map<string, Promise<string>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** VMs that are on their way out. Each ends well: one that cannot be deleted is left to the sweep. */
  get leaving(): ReadonlySet<Promise<void>> {
    return this.#leaving
  }

  async make(id: string, lease: string, wish: CompileVmSpec, signal: AbortSignal): Promise<void> {
    const { provider, worker } = this.#parts
    try {
      await provider.createVm(
        {
          id,
          stemcell: await this.#root(wish),
          addresses: [],
          network: wish.network === 'host' ? 'shared' : 'none',
          resources: definedOnly(wish.resources),
          renewable: true,
          ownership: {
            owner: `compiler/${worker}`,
            purpose: `compile on ${wish.stemcell.name}/${wish.stemcell.version}`,
            lease,
          },
        },
        { scope: id, number: 1 },
        signal,
      )
      await failpoint('compiler.vm-made')
    } catch (error) {
      // The fault may be in what was known of the stemcell.
      this.#roots.clear()
      throw error
    }
  }

  async runs(id: string): Promise<boolean> {
    const found = await this.#parts.provider.findVm(id).catch(() => undefined)
    return found?.state === 'running'
  }

  delete(id: string): void {
    const { provider, log } = this.#parts
    const leaving = provider
      .deleteVm(id, null)
      .catch((error) =>
        log.warn({ vm: id, err: toError(error) }, 'a compile VM could not be deleted; the sweep tries again'),
      )
      .finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  /** Cloud id of the stemcell; asked for once. */
  #root({ stemcell: { name, version, digest } }: CompileVmSpec): Promise<string> {
    const { provider, blobs } = this.#parts
    const known = JSON.stringify([name, version, digest])
    const root =
      this.#roots.get(known) ??
      importStemcell(provider, blobs, { name, version, ...(digest === undefined ? {} : { digest }) })
    this.#roots.set(known, root)
    return root
  }
}

function definedOnly(resources: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(resources).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )
}
