import type { ReleaseId } from '../../../kinds/contract/kind.ts'
import type { Claims } from '../../../shared/lock/claims.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { type Deleted, type Dropped, deleteOldBlobs } from './delete-old-blobs.ts'
import { type MarkParts, type Marks, mark } from './mark.ts'
import type { PlanningSessions } from './planning-sessions.ts'

export interface CleanParts extends MarkParts {
  sessions: PlanningSessions
  claims: Claims
  /** Resource of the claim: one sweep at a time. */
  resource: string
  planner: string
}

export interface CleanOptions {
  /** A blob that is younger is never deleted. Milliseconds. */
  ageMs: number
  /** Also releases and compiled packages that no deployment uses. */
  all: boolean
  /** Answers what would be deleted, and changes nothing. */
  dryRun: boolean
}

/** What was deleted; of a dry run what would be. */
export interface Cleaned extends Deleted {
  releases: string[]
  compiled: number
}

/**
 * Deletes what is not needed. A blob stays while a release, a stemcell, the compiled index, a floorplan or a plan that
 * is stored or open names it, and while it is young. Throws `locked` where another clean-up is under way.
 *
 * The order makes it safe beside everything else:
 *
 * 1. Compiled packages and releases that no deployment uses are condemned; a look-up that finds one from here on, or an
 *    upload that brings it, saves it (`shared/runtime/redis/forgettable-hash.ts`).
 * 2. The planners that are drawing a plan or taking a release in at this moment are waited for: their stored plans and
 *    releases name what they found before.
 * 3. Everything is read again, also when releases were uploaded. What is still condemned, old and not named leaves the
 *    catalog and the compiled index. From here on no process can find its blobs any more.
 * 4. The planners that are still drawing are waited for once more: one of an earlier version saves no release that it
 *    finds.
 * 5. A blob that is old and not named by then is deleted, unless a process has put or kept it meanwhile. A process
 *    that is about to name a blob from elsewhere keeps it first: uploads, and the cache of rendered jobs, which
 *    trusts what it saw for a minute.
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
      ...(await deleteOldBlobs(parts, { before, gone, dryRun: options.dryRun }, held.signal)),
    }
  } finally {
    await held.release()
  }
}

async function dropUnused(parts: CleanParts, before: number, dryRun: boolean): Promise<Dropped> {
  const first = await mark(parts)
  const releases = await unusedReleases(parts, first, before)
  const condemned = unusedKeys(first, releases, before)
  if (dryRun) return { releases: releases.map(nameOf), compiled: condemned }
  await parts.catalog.condemnReleases(releases)
  await parts.compiled.condemn(condemned)
  await failpoint('cleaning.condemned')
  await parts.sessions.settled()
  const second = await mark(parts)
  const unused = await unusedReleases(parts, second, before)
  await failpoint('cleaning.marked-again')
  const gone = await parts.catalog.forgetReleases(unused)
  await failpoint('cleaning.releases-forgotten')
  const still = new Set(unusedKeys(second, gone, before))
  const compiled = await parts.compiled.forget(condemned.filter((key) => still.has(key)))
  await parts.sessions.settled()
  return { releases: gone.map(nameOf), compiled }
}

/** Releases that no deployment uses and that were uploaded before `before`. */
async function unusedReleases({ catalog }: CleanParts, marks: Marks, before: number): Promise<ReleaseId[]> {
  const uploaded = await catalog.uploadTimes()
  return marks.uploaded.filter(
    (release) => !marks.releases.has(nameOf(release)) && (uploaded.get(nameOf(release)) ?? 0) < before,
  )
}

const nameOf = ({ name, version }: ReleaseId) => `${name}/${version}`

/** Keys that no record names. Packages that a release of the catalog brought compiled stay as long as the release. */
function unusedKeys(marks: Marks, leaving: readonly ReleaseId[], before: number): string[] {
  const gone = new Set(leaving.map(nameOf))
  const brought = new Set(
    marks.uploaded
      .filter((release) => !gone.has(nameOf(release)))
      .flatMap((release) => (release.compiledPackages ?? []).map((item) => item.digest)),
  )
  return marks.compiled
    .filter((item) => !marks.named.has(item.key) && !brought.has(item.digest) && item.compiledAt < before)
    .map((item) => item.key)
}
