import type { Compiling } from '../../shared/api/schemas/compiling.ts'
import { compiledFor } from '../../shared/compilation/phrase.ts'
import { count } from './table.ts'
import { duration } from './time.ts'

/**
 * One sentence about the packages of a plan: what is there, what others compile, what is left and
 * how long that may take.
 */
export function compilingLine({ hits, packages, workers, longestMs, estimateMs }: Compiling): string {
  const joined = packages.filter((one) => one.how === 'join')
  const own = packages.filter((one) => one.how === 'compile')
  const others = [...new Set(joined.map((one) => one.for ?? ''))].sort()
  const parts = [
    hits > 0 || packages.length === 0 ? `${hits} compiled already` : '',
    joined.length > 0 ? `${joined.length} being compiled for ${named(others)}` : '',
    own.length > 0 ? `${own.length} to compile` : '',
  ].filter(Boolean)
  const open = [...joined, ...own]
  if (open.length === 0) return `Packages: ${parts.join(', ')}.`
  const guessed = open.filter((one) => !one.measured).length
  if (guessed === open.length) return `Packages: ${parts.join(', ')}; how long that takes is not known yet.`
  const chain = longestMs < estimateMs ? `, longest chain ${duration(longestMs)}` : ''
  const similar = open.filter((one) => one.measured && !one.sameSource).length
  const guess = [
    similar > 0 ? `, ${count(similar, 'package')} by what another source of it took` : '',
    guessed > 0 ? `, ${count(guessed, 'package')} of it guessed` : '',
  ].join('')
  return `Packages: ${parts.join(', ')}; about ${duration(estimateMs)} with ${workers} at once${chain}${guess}.`
}

/** Remodel -> what there is to say about its package: by whom it is compiled, or how long it may take. */
export function packageNotes(compiling: Compiling | null, now: number): Map<string, string> {
  const notes = (compiling?.packages ?? []).map((one): [string, string] => [one.remodel, noteOf(one, now)])
  return new Map(notes.filter(([, note]) => note !== ''))
}

function noteOf(one: Compiling['packages'][number], now: number): string {
  if (one.how === 'hit') return 'compiled meanwhile'
  if (one.how === 'join') return compiledFor(one.for ?? '', one.since === null ? null : now - one.since)
  if (!one.measured) return ''
  const took = duration(one.estimateMs)
  return one.sameSource ? `took ${took} the last time` : `another source of it took ${took}`
}

function named(deployments: readonly string[]): string {
  return deployments.length <= 3 ? deployments.join(', ') : `${deployments.length} other deployments`
}
