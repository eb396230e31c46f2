import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toError } from '../../shared/runtime/errors.ts'
import { FieldPlans } from './case.ts'
import { FieldDeploys } from './deploying.ts'
import type { Machines } from './machines.ts'

/** One thing that was looked at. */
interface Finding {
  readonly name: string
  /** Undefined: it is as it should be. */
  readonly wrong?: string
}

/** The inputs of one folder, and what was found when a rule ran them. */
export class FieldCase {
  readonly findings: Finding[] = []
  readonly folder: string
  readonly machines: Machines
  #plans: Promise<FieldPlans> | undefined

  constructor(folder: string, machines: Machines) {
    this.folder = folder
    this.machines = machines
  }

  /** Runs what throws where something is not as it should be, and notes what it threw. */
  async check(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
      this.findings.push({ name })
    } catch (error) {
      this.findings.push({ name, wrong: toError(error).message })
    }
  }

  /** Names of files in the folder, in order. */
  async files(pattern: RegExp): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => pattern.test(name)).sort()
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8')
  }

  /** Plans of this folder's manifests, drawn without machines. */
  plans(): Promise<FieldPlans> {
    this.#plans ??= FieldPlans.open(this.folder)
    return this.#plans
  }

  /** Deploys of this folder's manifests to real machines. */
  async deploys(): Promise<FieldDeploys> {
    return FieldDeploys.open((await this.machines.stack()).client(), this.folder)
  }

  async close(): Promise<void> {
    await (await this.#plans)?.close()
  }
}
