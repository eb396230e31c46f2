import { z } from 'zod'
import { Actor } from '../../model/actor.ts'
import { PlanStatus } from './plan.ts'

export const Deployment = z.object({
  name: z.string(),
  kind: z.string(),
  materials: z.record(z.string(), z.int()),
  floorplanVersion: z.int(),
  lastPlan: PlanStatus.nullable(),
  lock: z.string().nullable(),
})
export type Deployment = z.infer<typeof Deployment>

export const Lock = z.object({
  id: z.string(),
  resource: z.string(),
  /** The actor that applied the plan. */
  holder: Actor,
  since: z.number(),
  plan: z.string().nullable(),
  message: z.string(),
})
export type Lock = z.infer<typeof Lock>
