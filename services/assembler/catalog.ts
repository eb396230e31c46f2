import { existsSync } from 'node:fs'
import { RemodelError } from '../../shared/errors.ts'
import { loadExtensions } from '../../shared/extensions.ts'
import type { Step } from './steps/step.ts'

/**
 * The steps an assembler knows: `steps/<kind>/<step>.ts`, loaded when first needed, and those of extensions (modules
 * named in REMODEL_EXTENSIONS that export `kind` and `steps`).
 */
export class StepCatalog {
  readonly #loaded = new Map<string, Step>()

  async extend(): Promise<void> {
    for (const extension of await loadExtensions()) {
      for (const [name, step] of Object.entries(extension.steps ?? {}))
        this.#loaded.set(`${extension.name}/${name}`, step as Step)
    }
  }

  /** Throws `unsupported` where this assembler does not know the step: a newer planner, or a missing extension. */
  async find(kind: string, name: string): Promise<Step> {
    const known = this.#loaded.get(`${kind}/${name}`)
    if (known) return known
    const file = new URL(`./steps/${kind}/${name}.ts`, import.meta.url)
    if (!/^[a-z-]+$/.test(kind) || !/^[a-z-]+$/.test(name) || !existsSync(file)) {
      throw new RemodelError('unsupported', `this assembler knows no step ${name} of kind ${kind}`)
    }
    const { default: step } = (await import(file.href)) as { default: Step }
    this.#loaded.set(`${kind}/${name}`, step)
    return step
  }
}
