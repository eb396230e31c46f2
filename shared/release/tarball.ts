import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ReadEntry } from 'tar'
import { z } from 'zod'
import { Name, VersionName } from '../model/names.ts'
import type { Fault } from '../runtime/errors.ts'
import { temporaryFolder } from '../runtime/temporary.ts'
import { invalidInput, SourceDocument, suggest } from '../source/document.ts'
import { DigestCheck } from './digest.ts'
import {
  type ArchiveLimits,
  compiledRules,
  type EntryRules,
  eachEntry,
  jobLimits,
  refuse,
  sourceRules,
} from './entries.ts'
import type { Put } from './pack.ts'
import { packageGraph } from './package-graph.ts'
import type { Release } from './release.ts'
import { readJobSpec } from './spec.ts'
import { longestSpec, name, names } from './yaml-text.ts'

export interface ReadTarballOptions {
  limits?: ArchiveLimits
  /** Where the parts wait until all is checked. Default: the system's folder for temporary files. */
  scratch?: string
}

const part = z.looseObject({
  name,
  version: z.string().optional(),
  fingerprint: z.string().optional(),
  sha1: z.string(),
})
const Manifest = z.looseObject({
  name: z.string().pipe(Name),
  version: z.string().pipe(VersionName),
  jobs: z.array(part).nullish(),
  packages: z.array(part.extend({ dependencies: names })).nullish(),
  compiled_packages: z
    .array(part.extend({ dependencies: names, stemcell: z.string().regex(/^[^/]+\/.+$/, 'is not <os>/<version>') }))
    .nullish(),
})
type Manifest = z.infer<typeof Manifest>
const KINDS = ['jobs', 'packages', 'compiled_packages'] as const
type Kind = (typeof KINDS)[number]

/** Bytes of a `release.MF`, which is read into memory: those of 20,000 packages. */
const longestManifest = 4 * 2 ** 20

/**
 * Reads a release tarball, source or compiled, and puts its archives. Every digest and every entry of the inner
 * archives is checked before the first put; a tarball with a fault is refused (`invalid-input`) with all its faults,
 * and leaves nothing behind.
 */
export async function readReleaseTarball(
  tarball: string,
  put: Put,
  options: ReadTarballOptions = {},
): Promise<Release> {
  const folder = await temporaryFolder('remodel-tarball', options.scratch)
  const scratch = folder.path
  try {
    const { manifestText, parts } = await takeApart(tarball, scratch, options)
    const document = new SourceDocument(`${tarball}:release.MF`, manifestText)
    const manifest = document.parse(Manifest)
    const faults = twice(document, manifest)
    const jobSpecs = new Map<string, string>()
    for (const kind of KINDS) {
      for (const [index, entry] of (manifest[kind] ?? []).entries()) {
        const fault = (field: string, message: string, more: Partial<Fault> = {}) =>
          document.fault([kind, index, field], message, more)
        faults.push(...(await checkPart({ tarball, parts, jobSpecs, options }, { kind, entry, fault })))
      }
    }
    if (faults.length > 0) throw invalidInput(faults)
    const release = await describe(tarball, document, manifest, jobSpecs)
    const stored = new Map<string, string>()
    for (const kind of KINDS) {
      for (const { name } of manifest[kind] ?? []) {
        const path = `${kind}/${name}.tgz`
        stored.set(path, await put(createReadStream(parts.get(path)!)))
      }
    }
    return release((path) => stored.get(path)!)
  } finally {
    await folder[Symbol.asyncDispose]()
  }
}

/** A name that a list has already: only one of the two could be found again. */
function twice(document: SourceDocument, manifest: Manifest): Fault[] {
  return KINDS.flatMap((kind) => {
    const first = new Map<string, number>()
    return (manifest[kind] ?? []).flatMap(({ name }, index) => {
      const other = first.get(name)
      if (other === undefined) first.set(name, index)
      return other === undefined
        ? []
        : [document.fault([kind, index, 'name'], `${kind}[${other}] has this name already`, { found: name })]
    })
  })
}

async function takeApart(tarball: string, scratch: string, options: ReadTarballOptions) {
  const parts = new Map<string, string>()
  let manifestText: string | undefined
  const rules = { file: tarball, links: 'none' as const, ...(options.limits ? { limits: options.limits } : {}) }
  await eachEntry(createReadStream(tarball), rules, async (path, entry) => {
    if (path === 'release.MF') manifestText = (await readSmall(tarball, entry, longestManifest)).toString('utf8')
    else if (/^(jobs|packages|compiled_packages)\/[^/]+\.tgz$/.test(path)) {
      const file = join(scratch, String(parts.size))
      parts.set(path, file)
      await pipeline(entry, createWriteStream(file))
    }
  })
  if (manifestText === undefined)
    throw refuse({ file: tarball }, 'release.MF', 'is missing: this is no release tarball')
  return { manifestText, parts }
}

/** An entry of the manifest, and how to say what is wrong in one of its fields. */
interface ListedPart {
  kind: Kind
  entry: z.infer<typeof part>
  fault(field: string, message: string, more?: Partial<Fault>): Fault
}

interface TakenApart {
  tarball: string
  /** Path in the tarball -> the file that it was written to. */
  parts: ReadonlyMap<string, string>
  /** Job -> the text of its spec: what is checked puts it there. */
  jobSpecs: Map<string, string>
  options: ReadTarballOptions
}

async function checkPart(
  { tarball, parts, jobSpecs, options }: TakenApart,
  { kind, entry, fault }: ListedPart,
): Promise<Fault[]> {
  const path = `${kind}/${entry.name}.tgz`
  const file = parts.get(path)
  if (file === undefined) {
    const allowed = [...parts.keys()].filter((one) => one.startsWith(`${kind}/`))
    return [
      fault('name', `the tarball has no ${path}`, {
        found: entry.name,
        ...suggest(path, allowed),
      }),
    ]
  }
  if (entry.fingerprint === undefined && entry.version === undefined) return [fault('fingerprint', 'is missing')]
  const check = new DigestCheck(entry.sha1)
  for await (const chunk of createReadStream(file)) check.update(chunk as Buffer)
  const found = check.mismatch()
  if (found !== null)
    return [
      fault('sha1', `${path} has other bytes than its digest says`, {
        found,
        allowed: entry.sha1,
      }),
    ]
  const name = `${tarball}:${path}`
  const rules = rulesOf(kind, name, options.limits)
  let hasSpec = false
  await eachEntry(createReadStream(file), rules, async (inner, body) => {
    if (kind !== 'jobs' || inner !== 'job.MF') return
    hasSpec = true
    jobSpecs.set(entry.name, (await readSmall(rules.file, body, longestSpec)).toString('utf8'))
  })
  return kind === 'jobs' && !hasSpec ? [{ file: rules.file, path: 'job.MF', message: 'is missing' }] : []
}

function rulesOf(kind: Kind, file: string, limits: ArchiveLimits | undefined): EntryRules {
  if (kind === 'compiled_packages') return compiledRules(file, limits)
  if (kind === 'jobs') return { file, links: 'inside', limits: limits ?? jobLimits }
  return sourceRules(file, limits)
}

/** Everything but the digests of the blobs, which are known when all is put. */
async function describe(
  tarball: string,
  document: SourceDocument,
  manifest: Manifest,
  jobSpecs: ReadonlyMap<string, string>,
) {
  const fingerprintOf = (entry: z.infer<typeof part>) => entry.fingerprint ?? entry.version ?? ''
  const known = new Set(
    [...(manifest.packages ?? []), ...(manifest.compiled_packages ?? [])].map((entry) => entry.name),
  )
  const faults: Fault[] = []
  const packages = (manifest.packages ?? []).map((entry) => ({
    name: entry.name,
    fingerprint: fingerprintOf(entry),
    dependencies: entry.dependencies,
  }))
  const compiled = (manifest.compiled_packages ?? []).map((entry) => ({
    name: entry.name,
    fingerprint: fingerprintOf(entry),
    dependencies: entry.dependencies,
    stemcell: entry.stemcell,
  }))
  const jobs = (manifest.jobs ?? []).map((entry) => {
    const spec = new SourceDocument(`${tarball}:jobs/${entry.name}.tgz:job.MF`, jobSpecs.get(entry.name)!)
    const facts = readJobSpec(spec)
    for (const [index, name] of facts.packages.entries()) {
      if (!known.has(name))
        faults.push(
          spec.fault(['packages', index], `the release has no package "${name}"`, {
            found: name,
            ...suggest(name, known),
          }),
        )
    }
    return { ...facts, name: entry.name, fingerprint: fingerprintOf(entry) }
  })
  for (const [kind, list] of [
    ['packages', packages],
    ['compiled_packages', compiled],
  ] as const) {
    for (const [at, entry] of list.entries()) {
      for (const [index, name] of entry.dependencies.entries()) {
        if (!known.has(name)) {
          faults.push(
            document.fault([kind, at, 'dependencies', index], `the release has no package "${name}"`, {
              found: name,
              ...suggest(name, known),
            }),
          )
        }
      }
    }
  }
  if (faults.length > 0) throw invalidInput(faults)
  packageGraph({ packages, compiledPackages: compiled })
  return (digest: (path: string) => string): Release => ({
    name: manifest.name,
    version: manifest.version,
    packages: packages.map((entry) => ({ ...entry, digest: digest(`packages/${entry.name}.tgz`) })),
    jobs: jobs.map((entry) => ({ ...entry, digest: digest(`jobs/${entry.name}.tgz`) })),
    ...(compiled.length > 0
      ? {
          compiledPackages: compiled.map((entry) => ({
            ...entry,
            digest: digest(`compiled_packages/${entry.name}.tgz`),
          })),
        }
      : {}),
  })
}

async function readSmall(file: string, entry: ReadEntry, longest: number): Promise<Buffer> {
  if (entry.size > longest)
    throw refuse({ file }, entry.path, `is refused: it is larger than ${longest} bytes`, String(entry.size))
  return Buffer.concat((await entry.collect()) as Buffer[])
}
