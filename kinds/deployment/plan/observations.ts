import { z } from 'zod'
import type { Aspect } from '../../../shared/model/observation.ts'

/**
 * Of a material: how many milliseconds it took to make it the last time. A duration that changed since changes the
 * order in which a plan does things, never whether there is something to do.
 */
export const duration: Aspect<number> = { name: 'duration', value: z.number(), freshMs: Number.POSITIVE_INFINITY }

/** How a machine, an instance or a disk does. Of what nothing was seen it is believed that it is well. */
export const Health = z.enum(['running', 'failing', 'unresponsive', 'missing'])
export type Health = z.infer<typeof Health>

/** What was seen of a machine is old soon, but a plan is drawn at once. */
const freshMs = 60_000

export const health: Aspect<Health> = { name: 'health', value: Health, freshMs }

/** What a closer look has found wrong, each as the rest of a sentence that begins with the material. */
export const faults: Aspect<string[]> = { name: 'faults', value: z.array(z.string()), freshMs }
