import type { Claims } from '../../../shared/lock/claims.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { Drawings } from './drawings.ts'
import { collectNames, type MarkParts, type Marks, mark } from './mark.ts'

export interface CleanParts extends MarkParts {
  drawings: Drawings
  claims: Claims
  /** Resource of the claim: one sweep at a time. */
  resource: string
  planner: string
}

export interface CleanOptions {
  /** Younger than this is never taken, whatever names it. Milliseconds. */
  ageMs: number
  /** Also releases and compiled packages that no deployment uses. */
  all: boolean
  /** Says what would go; changes nothing. */
  dryRun: boolean
}

/** What went, or would go. */
export interface Cleaned {
  releases: string[]
  compiled: number
  blobs: number
  bytes: number
  /** Blobs that stay. */
  kept: number
}

/**
 * Takes away what nobody needs. A blob stays while a release, a stemcell, the compiled index, a floorplan or a plan that is stored
 * or open names it, and while it is young. Throws `locked` where somebody cleans up already.
 *
 * The order makes it safe beside everything else:
 *
 * 1. Compiled packages are condemned; whoever finds one from here on saves it (`shared/compilation/lua/find.lua`).
 * 2. All who were drawing a plan are waited for: what they found before is named by their stored plans now.
 * 3. Packages that are still condemned and not named are forgotten, releases that nobody uses leave the catalog. From here
 *    on nobody new can come upon their blobs.
 * 4. Those who are drawing with such a release in hand are waited for.
 * 5. What is old and not named by then is deleted, unless somebody has put or kept it meanwhile. Everybody who is about to name a
 *    blob from elsewhere keeps it first: uploads, and the cache of rendered jobs, which trusts what it saw for a minute.
 */
export async function cleanUp(parts: CleanParts, options: CleanOptions): Promise<Cleaned> {
  const held = await parts.claims.take([parts.resource], {
    who: parts.planner,
    since: Date.now(),
    message: 'cleans up',
  })
  try {
    const before = Date.now() - options.ageMs
    const gone = options.all ? await dropUnused(parts, before, options.dryRun) : { releases: [], compiled: [] }
    await failpoint('cleaning.dropped')
    held.signal.throwIfAborted()
    return {
      releases: gone.releases,
      compiled: gone.compiled.length,
      ...(await sweep(parts, before, gone, options, held.signal)),
    }
  } finally {
    await held.release()
  }
}

interface Dropped {
  releases: string[]
  /** Package keys. */
  compiled: string[]
}

async function dropUnused(parts: CleanParts, before: number, dryRun: boolean): Promise<Dropped> {
  const uploaded = await parts.supply.uploadTimes()
  const unused = (marks: Marks) =>
    marks.catalog
      .map((release) => `${release.name}/${release.version}`)
      .filter((id) => !marks.releases.has(id) && (uploaded.get(id) ?? 0) < before)
  const first = await mark(parts)
  const condemned = unusedKeys(first, new Set(unused(first)), before)
  if (dryRun) return { releases: unused(first), compiled: condemned }
  await parts.compiled.condemn(condemned)
  await failpoint('cleaning.condemned')
  await parts.drawings.settled()
  const second = await mark(parts)
  const releases = unused(second)
  const still = new Set(unusedKeys(second, new Set(releases), before))
  for (const id of releases) {
    const at = id.indexOf('/')
    await parts.supply.dropRelease(id.slice(0, at), id.slice(at + 1))
  }
  const compiled = await parts.compiled.forget(condemned.filter((key) => still.has(key)))
  await parts.drawings.settled()
  return { releases, compiled }
}

/** Keys that nothing names. What a release of the catalog brought compiled stays as long as the release. */
function unusedKeys(marks: Marks, leaving: ReadonlySet<string>, before: number): string[] {
  const brought = new Set(
    marks.catalog
      .filter((release) => !leaving.has(`${release.name}/${release.version}`))
      .flatMap((release) => (release.compiledPackages ?? []).map((item) => item.digest)),
  )
  return marks.compiled
    .filter((item) => !marks.named.has(item.key) && !brought.has(item.digest) && item.compiledAt < before)
    .map((item) => item.key)
}

async function sweep(
  parts: CleanParts,
  before: number,
  gone: Dropped,
  { dryRun }: CleanOptions,
  signal: AbortSignal,
): Promise<Pick<Cleaned, 'blobs' | 'bytes' | 'kept'>> {
  const old: { digest: string; size: number }[] = []
  let kept = 0
  for await (const blob of parts.blobs.list()) {
    if (blob.changedAt < before) old.push(blob)
    else kept++
  }
  const needed = neededBlobs(await mark(parts), gone)
  await failpoint('cleaning.marked')
  let [blobs, bytes] = [0, 0]
  for (const { digest, size } of old) {
    signal.throwIfAborted()
    const goes = !needed.has(digest) && (dryRun || (await parts.blobs.deleteUnchanged(digest, before)))
    if (goes) {
      blobs++
      bytes += size
    } else kept++
  }
  return { blobs, bytes, kept }
}

/** `gone` counts where nothing was dropped yet: in a dry run. */
function neededBlobs(marks: Marks, gone: Dropped): Set<string> {
  const [releases, keys] = [new Set(gone.releases), new Set(gone.compiled)]
  const needed = new Set([...marks.named, ...marks.stemcells])
  collectNames(
    marks.catalog.filter((release) => !releases.has(`${release.name}/${release.version}`)),
    needed,
  )
  for (const item of marks.compiled) if (!keys.has(item.key) || marks.named.has(item.key)) needed.add(item.digest)
  return needed
}
