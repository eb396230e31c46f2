import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { collectNames, type MarkParts, type Marks, mark } from './mark.ts'

/** What the same clean-up took off the catalog and the compiled index before. */
export interface Dropped {
  releases: string[]
  /** Package keys. */
  compiled: string[]
}

/** Counts of blobs; of a dry run what would be deleted. */
export interface Deleted {
  blobs: number
  bytes: number
  /** Blobs that stay. */
  kept: number
}

interface Deletion {
  /** Blobs that were put or kept later than this stay. Milliseconds since the epoch. */
  before: number
  gone: Dropped
  dryRun: boolean
}

/**
 * Deletes each blob that is older than `before` and that no record names. The age is looked at again in the step that
 * deletes, so a blob that was put or kept meanwhile stays.
 */
export async function deleteOldBlobs(
  parts: MarkParts,
  { before, gone, dryRun }: Deletion,
  signal: AbortSignal,
): Promise<Deleted> {
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
    marks.uploaded.filter((release) => !releases.has(`${release.name}/${release.version}`)),
    needed,
  )
  for (const item of marks.compiled) if (!keys.has(item.key) || marks.named.has(item.key)) needed.add(item.digest)
  return needed
}
