import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Step } from '../../kinds/contract/step.ts'
import { versionOf } from '../../shared/model/input-version.ts'
import { type KnownSteps, stepKey } from '../../shared/queue/known-steps.ts'
import { loadExtensions } from '../../shared/runtime/extensions.ts'

const kinds = new URL('../../kinds/', import.meta.url)

/**
 * The steps an assembler knows: `kinds/<kind>/steps/<step>.ts`, loaded when first needed, and those of extensions
 * (modules named in REMODEL_EXTENSIONS that export `kind` and `steps`).
 */
export class StepRegistry {
  readonly #loaded = new Map<string, Step>()

  async extend(): Promise<void> {
    for (const extension of await loadExtensions()) {
      for (const [name, step] of Object.entries(extension.steps ?? {}))
        this.#loaded.set(stepKey(extension.name, name), step as Step)
    }
  }

  /** Null where this assembler does not know the step: the planner is newer, or an extension is missing. */
  async find(kind: string, name: string): Promise<Step | null> {
    const known = this.#loaded.get(stepKey(kind, name))
    if (known) return known
    const file = new URL(`${kind}/steps/${name}.ts`, kinds)
    if (!/^[a-z-]+$/.test(kind) || !/^[a-z-]+$/.test(name) || !existsSync(file)) return null
    const { default: step } = (await import(file.href)) as { default: Step }
    this.#loaded.set(stepKey(kind, name), step)
    return step
  }

  /** All of them with their versions, to be announced. */
  async known(): Promise<KnownSteps> {
    for (const kind of await readdir(kinds)) {
      const steps = new URL(`${kind}/steps/`, kinds)
      if (!existsSync(steps)) continue
      for (const file of await readdir(steps))
        if (file.endsWith('.ts')) await this.find(kind, file.slice(0, -'.ts'.length))
    }
    const versions = [...this.#loaded].flatMap(([key, step]) => (step ? [[key, versionOf(step.input)] as const] : []))
    return Object.fromEntries(versions.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
