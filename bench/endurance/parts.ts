import type { Held } from '../process.ts'
import type { Retained } from './inspected.ts'

/** Resident memory of one process by what it is for, in MB; together they are all of it. */
export interface Parts {
  /** What a full collection leaves: objects of the main thread, and buffers. */
  kept: number
  /** Room in V8's heap that no object is in. */
  room: number
  /**
   * Heaps of worker threads and what their objects hold outside: the memory of Ruby, which grows until
   * the thread is replaced.
   */
  threads: number
  /**
   * Code that was compiled, stacks, and what the C library has or does not give back: bounded by the most
   * that was used at once.
   */
  native: number
  /** Programs and libraries, shared with other processes. */
  files: number
}

const mb = 2 ** 20

export function partsOf({ rssMb, anonymousMb }: Held, retained: Retained): Parts {
  const kept = (retained.heapUsed + retained.arrayBuffers) / mb
  const room = (retained.heapTotal - retained.heapUsed) / mb
  const threads = (retained.threads.heapTotal + retained.threads.external) / mb
  return { kept, room, threads, native: anonymousMb - kept - room - threads, files: rssMb - anonymousMb }
}

/** The parts of one process at rest after the warm-up, in the middle and at the end. */
export type Course = readonly [warm: Parts, middle: Parts, end: Parts]

/** Growth in the first half and in the second. */
export function growthOf(course: readonly [number, number, number]): { first: number; second: number } {
  return { first: course[1] - course[0], second: course[2] - course[1] }
}

/** Smaller growth is the noise of a process that is looked at between two collections. */
const noiseMb = 4

/**
 * How much a process may grow in the second half of a run, as long as there is a bound: growth towards a bound slows
 * down, growth without one goes on as before.
 */
export function boundOf(firstHalf: number): number {
  return Math.max(noiseMb, (firstHalf * 2) / 3)
}

/** Of each constructor of which there are more objects in each half: how many in the second. */
export function moreObjects(course: readonly [Retained, Retained, Retained], atLeast = 50): Map<string, number> {
  const [warm, middle, end] = course.map(({ objects }) => objects) as [Counts, Counts, Counts]
  const found = Object.entries(end).flatMap(([name, count]) => {
    const { first, second } = growthOf([warm[name] ?? 0, middle[name] ?? 0, count])
    return first >= atLeast && second >= atLeast ? [[name, second] as const] : []
  })
  return new Map(found.sort(([, a], [, b]) => b - a))
}

type Counts = Readonly<Record<string, number>>
