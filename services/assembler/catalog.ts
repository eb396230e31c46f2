import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { loadExtensions } from '../../shared/extensions.ts'
import { versionOf } from '../../shared/input-version.ts'
import { type KnownSteps, stepKey } from '../../shared/known-steps.ts'
import type { Step } from './steps/step.ts'

const steps = new URL('./steps/', import.meta.url)

/**
 * The steps an assembler knows: `steps/<kind>/<step>.ts`, loaded when first needed, and those of extensions (modules
 * named in REMODEL_EXTENSIONS that export `kind` and `steps`).
 */
export class StepCatalog {
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
    const file = new URL(`${kind}/${name}.ts`, steps)
    if (!/^[a-z-]+$/.test(kind) || !/^[a-z-]+$/.test(name) || !existsSync(file)) return null
    const { default: step } = (await import(file.href)) as { default: Step }
    this.#loaded.set(stepKey(kind, name), step)
    return step
  }

  /** All of them with their versions, to be announced. */
  async known(): Promise<KnownSteps> {
    for (const kind of await readdir(steps, { withFileTypes: true })) {
      if (!kind.isDirectory()) continue
      for (const file of await readdir(new URL(`${kind.name}/`, steps)))
        if (file.endsWith('.ts')) await this.find(kind.name, file.slice(0, -'.ts'.length))
    }
    const versions = [...this.#loaded].flatMap(([key, step]) => (step ? [[key, versionOf(step.input)] as const] : []))
    return Object.fromEntries(versions.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
