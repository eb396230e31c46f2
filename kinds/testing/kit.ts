import type { z } from 'zod'
import type { Attributes, Floorplan } from '../../shared/model/material.ts'
import type { Observation } from '../../shared/model/observation.ts'
import type { Remodel } from '../../shared/model/plan.ts'
import type { Inspection } from '../contract/kind.ts'
import type { Effect } from './execution.ts'

/** A remodel that was carried out, and when, in milliseconds since the epoch. */
export interface Done {
  remodel: Remodel
  at: number
}

/** A world that is only said to be. */
export interface Pretended {
  /** Material -> what an inspector finds of it beside what is recorded, in the shape of `Kit.findings`. */
  findings: ReadonlyMap<string, Attributes>
  /** All that was carried out so far, in its order. */
  done: readonly Done[]
  now: number
}

/** What was seen, as people read it. */
export interface Told {
  subject: string
  text: string
}

/**
 * What carries plans of a kind out without a world: `kinds/<kind>/testing/kit.ts`. For tests and the lab; no service
 * loads it.
 */
export interface Kit {
  effect: Effect
  /** Type of a material -> what may be found of one. */
  findings: Readonly<Record<string, z.ZodType>>
  /** What an inspector would find: all is as it was recorded, but for the findings. Pure. */
  inspect(recorded: Floorplan, pretended: Pretended): Inspection
  tell(observations: readonly Observation[]): Told[]
}
