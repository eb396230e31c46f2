import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { readSource, unwritable } from '../../cli/files.ts'
import { localReleases } from '../../cli/manifest-releases.ts'
import { planLines } from '../../cli/views/plan-text.ts'
import type { Style } from '../../cli/views/style.ts'
import { value } from '../../cli/views/value.ts'
import type { Inspection } from '../../kinds/contract/kind.ts'
import { phrasesOf } from '../../kinds/phrases.ts'
import { execute } from '../../kinds/testing/execution.ts'
import type { Done, Kit } from '../../kinds/testing/kit.ts'
import { planOffline } from '../../services/planner/planning/offline.ts'
import { type Attributes, emptyFloorplan, type Floorplan, materialType } from '../../shared/model/material.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import { invalidInput, schemaFaults } from '../../shared/source/document.ts'
import { schemaWords } from '../../shared/source/schema-words.ts'
import { changedLines, floorplanLines } from './floorplan-text.ts'
import { kitOf } from './kits.ts'
import type { FaultAt, WrittenStep } from './written-step.ts'

interface LabOptions {
  /** Paths of the manifest and of cloud configs. */
  documents: readonly string[]
  style: Style
  verbose: boolean
}

/** When a lab begins. A plan takes an hour, so that a session shows the same whenever it is played. */
const beginning = Date.UTC(2026, 0, 1)
const hour = 3_600_000

/**
 * A deployment without a world: plans are drawn as a planner draws them, and carried out on a floorplan alone. Nothing
 * is stored, no machine is made, and no planner is asked.
 */
export class Lab {
  readonly #options: LabOptions
  /** Path -> text, of documents that were edited here; the others are read again for every plan. */
  readonly #edited = new Map<string, string>()
  readonly #findings = new Map<string, Attributes>()
  readonly #done: Done[] = []
  #now = beginning
  #floorplan: Floorplan | null = null
  #kit: Kit | null = null
  #plan: Plan | null = null

  private constructor(options: LabOptions) {
    this.#options = options
  }

  /** Throws `invalid-input` where a document cannot be read. */
  static async open(options: LabOptions): Promise<Lab> {
    const lab = new Lab(options)
    for (const path of options.documents) await lab.#read(path)
    return lab
  }

  /** Does one step; answers with the lines that it shows. Throws `RemodelError` and has then changed nothing. */
  async take({ step, at }: WrittenStep): Promise<string[]> {
    if (step === 'plan') return this.#draw({})
    if (step === 'carry-out') return this.#carryOut({}, at)
    if (step === 'floorplan') return this.#show(at)
    if (step.plan !== undefined) return this.#draw(step.plan)
    if (step.replace !== undefined) return this.#replace(step.replace, at)
    if (step.find !== undefined) return this.#find(step.find as Record<string, Attributes>, at)
    if (step.save !== undefined) return this.#save(step.save, at)
    const end = step['carry-out']
    if (end === undefined) throw invalidInput([at([], 'there is nothing to do in this step')])
    return this.#carryOut(typeof end === 'number' ? { most: end } : end, at)
  }

  async #draw(asked: Record<string, boolean | undefined>): Promise<string[]> {
    const { style, verbose, documents } = this.#options
    const files = await Promise.all(documents.map((path) => this.#read(path)))
    const { materials, observations } = this.#inspected() ?? { materials: [], observations: [] }
    this.#plan = await planOffline({
      files,
      releases: localReleases(files[0]!),
      options: {
        recreate: asked.recreate === true,
        skipDrain: asked['skip-drain'] === true,
        acceptLoss: asked['accept-loss'] === true,
      },
      remove: asked.remove === true,
      floorplan: this.#floorplan ? { ...this.#floorplan, materials } : {},
      observations,
    })
    return planLines(this.#plan, { style, verbose, next: [], say: await phrasesOf(this.#plan.kind) })
  }

  async #carryOut(end: { most?: number; until?: string }, at: FaultAt): Promise<string[]> {
    const plan = this.#plan
    if (!plan) throw invalidInput([at([], 'there is no plan to carry out: plan first')])
    const kit = await kitOf(plan.kind)
    const recorded = this.#floorplan ?? emptyFloorplan(plan.deployment)
    const run = (most: number) => carriedOut({ plan, recorded, kit, most })
    const order = run(Number.POSITIVE_INFINITY).done
    if (order.length === 0) return ['The plan has nothing to carry out.']
    const most = end.until === undefined ? (end.most ?? order.length) : order.indexOf(end.until)
    if (most < 0) {
      const allowed = order.join(', ')
      throw invalidInput([at(['carry-out', 'until'], `the plan has no remodel ${end.until}`, { allowed })])
    }
    const { floorplan, done } = run(most)
    const remodels = done.map((id) => plan.remodels.find((one) => one.id === id)!)
    this.#done.push(...remodels.map((remodel) => ({ remodel, at: this.#now })))
    for (const { material } of remodels) this.#findings.delete(material)
    this.#floorplan = floorplan
    this.#kit = kit
    this.#plan = null
    this.#now += hour
    const rest = order.slice(done.length)
    const changes = changedLines(recorded, floorplan, this.#options.style)
    return [
      `Carried out ${done.length} of ${order.length} remodels; floorplan version ${floorplan.version}.`,
      ...(changes.length === 0 ? ['  no material is another one than before'] : changes),
      ...(rest.length === 0 ? [] : [`Not carried out: ${rest.join(', ')}`]),
    ]
  }

  async #replace({ in: name, from, to }: { in?: string | undefined; from: string; to: string }, at: FaultAt) {
    const { documents } = this.#options
    const path = name === undefined ? documents[0]! : documents.find((one) => basename(one) === basename(name))
    if (path === undefined) {
      const allowed = documents.map((one) => basename(one)).join(', ')
      throw invalidInput([at(['replace', 'in'], `there is no document ${name}`, { allowed })])
    }
    const { content } = await this.#read(path)
    const times = content.split(from).length - 1
    if (times !== 1) {
      const often = times === 0 ? 'does not have this text' : `has this text ${times} times: quote more of it`
      throw invalidInput([at(['replace', 'from'], `${basename(path)} ${often}`, { found: JSON.stringify(from) })])
    }
    this.#edited.set(
      path,
      content.replace(from, () => to),
    )
    return [`Edited ${basename(path)}.`]
  }

  #find(found: Record<string, Attributes>, at: FaultAt): string[] {
    const { materials } = this.#recorded(at)
    const { findings } = this.#kit!
    const known = materials.map(({ id }) => id).filter((id) => findings[materialType(id)] !== undefined)
    const faults = Object.entries(found).flatMap(([id, finding]) => {
      const where = ['find', id]
      const schema = findings[materialType(id)]
      if (!known.includes(id) || schema === undefined) {
        return [at(where, `nothing can be found of ${id}`, { allowed: known.join(', ') })]
      }
      const { error } = schema.safeParse(finding, { reportInput: true, error: schemaWords })
      const inside: FaultAt = (path, ...more) => at([...where, ...path], ...more)
      return error ? schemaFaults(schema, error.issues, inside) : []
    })
    if (faults.length > 0) throw invalidInput(faults)
    for (const [id, finding] of Object.entries(found)) this.#findings.set(id, finding)
    return Object.entries(found).map(([id, finding]) => `Found of ${id}: ${value(finding)}`)
  }

  #show(at: FaultAt): string[] {
    const recorded = this.#recorded(at)
    const { materials, observations } = this.#inspected()!
    const seen = this.#kit!.tell(observations)
    const time = `It is ${new Date(this.#now).toISOString().replace('.000', '')} in the lab.`
    return [...floorplanLines({ ...recorded, materials }, seen, this.#options.verbose), time]
  }

  async #save(file: string, at: FaultAt): Promise<string[]> {
    const floorplan = { ...this.#recorded(at), materials: this.#inspected()!.materials }
    await writeFile(file, `${JSON.stringify(floorplan, null, 2)}\n`).catch((error) => {
      throw unwritable(file, error)
    })
    return [`Wrote ${file}.`]
  }

  #inspected(): Inspection | undefined {
    if (!this.#floorplan || !this.#kit) return undefined
    const pretended = { findings: this.#findings, done: this.#done, now: this.#now }
    return this.#kit.inspect(this.#floorplan, pretended)
  }

  #recorded(at: FaultAt): Floorplan {
    if (!this.#floorplan) throw invalidInput([at([], 'nothing was carried out yet: plan, then carry-out')])
    return this.#floorplan
  }

  async #read(path: string): Promise<{ name: string; content: string }> {
    const content = this.#edited.get(path)
    return content === undefined ? readSource(path) : { name: path, content }
  }
}

/** One remodel at a time and in the order of the plan, so that the same number of them is always the same ones. */
function carriedOut({ plan, recorded, kit, most }: { plan: Plan; recorded: Floorplan; kit: Kit; most: number }) {
  let isRunning = false
  const choose = (count: number) => {
    isRunning = !isRunning
    return isRunning ? 0 : count - 1
  }
  try {
    return execute(plan, recorded, kit.effect, { choose, most })
  } catch (error) {
    throw new RemodelError('infrastructure', `this plan cannot be carried out: ${toError(error).message}`, {
      cause: error,
    })
  }
}
