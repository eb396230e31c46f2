import { z } from 'zod'
import type { Fault } from '../runtime/errors.ts'
import { type SourceDocument, suggest } from '../source/document.ts'
import { LinkDefinition, type PropertyDefinition, type ReleaseJob } from './release.ts'
import { name, names } from './yaml-text.ts'

/** `packages/<p>/spec`. Unknown keys are allowed, as in BOSH. */
export const PackageSpec = z.looseObject({
  name,
  dependencies: names,
  files: names,
  excluded_files: names,
  no_compression: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
})
export type PackageSpec = z.infer<typeof PackageSpec>

/** `packages/<p>/spec.lock`: a package vendored from another release, known by its fingerprint only. */
export const PackageLock = z.looseObject({ name, fingerprint: z.string().regex(/^[0-9A-Za-z]+$/), dependencies: names })

const links = z
  .array(
    z.looseObject({
      name: z.string(),
      type: z.string(),
      optional: z.boolean().nullish(),
      shared: z.boolean().nullish(),
      properties: names,
    }),
  )
  .nullish()
  .transform((list) =>
    (list ?? []).map((link) =>
      LinkDefinition.parse({
        name: link.name,
        type: link.type,
        optional: link.optional ?? false,
        shared: link.shared ?? false,
        properties: link.properties,
      }),
    ),
  )

/** `jobs/<j>/spec`, which is `job.MF` in the job's archive. */
export const JobSpec = z.looseObject({
  name,
  templates: z
    .record(z.string(), z.string())
    .nullish()
    .transform((map) => map ?? {}),
  packages: names,
  properties: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((map) => map ?? {}),
  provides: links,
  consumes: links,
})
export type JobSpec = z.infer<typeof JobSpec>

/** What a plan needs to know of a job, read off its spec. */
export type JobFacts = Omit<ReleaseJob, 'fingerprint' | 'digest'>

/** Reads a job spec; throws `invalid-input`. */
export function readJobSpec(document: SourceDocument): JobFacts {
  const spec = document.parse(JobSpec)
  return {
    name: spec.name,
    packages: spec.packages,
    templates: spec.templates,
    properties: Object.fromEntries(
      Object.entries(spec.properties).map(([key, value]) => [key, propertyDefinition(value)]),
    ),
    provides: spec.provides,
    consumes: spec.consumes,
  }
}

function propertyDefinition(value: unknown): PropertyDefinition {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return {}
  const given = value as Record<string, unknown>
  return {
    ...(given.description == null ? {} : { description: asText(given.description) }),
    ...(given.default === undefined ? {} : { default: given.default }),
    ...(given.example === undefined ? {} : { example: given.example }),
    ...(given.type == null ? {} : { type: asText(given.type) }),
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Unknown keys that are nearly a known one: allowed, and most likely a slip. */
export function misspeltKeys(document: SourceDocument, known: readonly string[]): Fault[] {
  if (document.value === null || typeof document.value !== 'object') return []
  return Object.keys(document.value).flatMap((key) => {
    const near = known.includes(key) ? {} : suggest(key, known)
    return near.suggestion === undefined ? [] : [document.fault([key], `unknown key "${key}" is ignored`, near)]
  })
}
