import { z } from 'zod'
import { Release } from '../../release/release.ts'

/** `uploadedAt` is null of releases that were uploaded before it was kept. */
export const ListedRelease = Release.extend({ uploadedAt: z.number().nullable().default(null) })
export type ListedRelease = z.infer<typeof ListedRelease>

/** A release, and by package the stemcells (`<os>/<version>`) that it is compiled for. */
export const InspectedRelease = z.object({ release: Release, compiled: z.record(z.string(), z.array(z.string())) })
export type InspectedRelease = z.infer<typeof InspectedRelease>

/** A release that a deployment runs, and which of its jobs. */
export const UsedRelease = z.object({ name: z.string(), version: z.string(), jobs: z.array(z.string()) })
export type UsedRelease = z.infer<typeof UsedRelease>
