import { z } from 'zod'

/** As it is written: `2.10` is not 2.1 (`SourceDocument.parse`). */
export const Version = z.string().min(1)

export const CloudProperties = z.record(z.string(), z.unknown()).default({})

/** A number or a percentage of a group's size: `3`, `"3"`, `50%`. */
export const Share = z.union([
  z.int().nonnegative(),
  z.string().regex(/^\s*\d+\s*%?\s*$/, 'must be a number or a percentage like 50%'),
])

/** Milliseconds: one number, or `min-max`. */
export const WatchTime = z.union([
  z.int().nonnegative(),
  z.string().regex(/^\s*\d+(\s*-\s*\d+)?\s*$/, 'must be milliseconds, or min-max like 1000-30000'),
])

export const VmResources = z.strictObject({
  cpu: z.int().positive(),
  ram: z.int().positive(),
  ephemeral_disk_size: z.int().positive(),
})

/** `az` or `azs`, where a list may be given as one name. */
export const Names = z.array(z.string())
