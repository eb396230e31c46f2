import { z } from 'zod'

/** Anything that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export const Json: z.ZodType<Json> = z.json() as z.ZodType<Json>

/** The attributes of a material: what the user can see change in a plan. Never a secret: put a digest instead. */
export const Attributes = z.record(z.string(), Json)
export type Attributes = z.infer<typeof Attributes>

/**
 * One thing that should stand: a typed, identified resource with attributes and dependencies.
 * `id` is `<type>/<name>`, e.g. `instance/web/0` or `package/zlib/3f2a`.
 */
export const Material = z.object({
  id: z
    .string()
    .min(3)
    .regex(/^[^/]+\/.+$/, 'a material id is <type>/<name>'),
  attributes: Attributes,
  /** Ids of materials that must stand before this one, and may only go after it. */
  needs: z.array(z.string()).default([]),
})
export type Material = z.infer<typeof Material>

/** A material that exists today: its attributes plus what only the world can tell (cloud ids, health, maker). */
export const ActualMaterial = Material.extend({ meta: Attributes.default({}) })
export type ActualMaterial = z.infer<typeof ActualMaterial>

/** The type of a material, read off its id. */
export function materialType(id: string): string {
  return id.slice(0, id.indexOf('/'))
}

/** What tells a material from others of its type: all of its id behind the type. */
export function materialName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

/**
 * All materials that should stand, drawn by a kind's architect. `strategy` is the kind's own: how to get there. It is
 * JSON, and only the kind knows its shape (`Kind.strategy`).
 */
export interface Blueprint<Strategy = unknown> {
  deployment: string
  kind: string
  materials: Material[]
  strategy: Strategy
}

/**
 * All materials that stand today.
 * `version` grows by one with every recorded change, so that a plan can tell whether the floorplan moved under it.
 */
export const Floorplan = z.object({
  deployment: z.string(),
  version: z.int().nonnegative(),
  materials: z.array(ActualMaterial),
})
export type Floorplan = z.infer<typeof Floorplan>

/** A deployment that does not stand at all. */
export function emptyFloorplan(deployment: string): Floorplan {
  return { deployment, version: 0, materials: [] }
}
