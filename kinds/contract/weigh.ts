/** One piece of work, what it needs of the others, and how long it takes, in milliseconds. */
export interface Work {
  id: string
  needs: readonly string[]
  ms: number
}

/**
 * How long it takes from the start of each piece of work until everything that waits for it is done, itself included:
 * the longest path to the end. The largest goes first. `works` stand in order, each after what it needs; needs that are
 * not among them do not count.
 */
export function remainingPaths(works: readonly Work[]): Map<string, number> {
  const paths = new Map(works.map(({ id, ms }) => [id, ms]))
  const own = new Map(paths)
  for (const work of [...works].reverse()) {
    for (const need of work.needs) {
      const ms = own.get(need)
      if (ms !== undefined) paths.set(need, Math.max(paths.get(need)!, ms + paths.get(work.id)!))
    }
  }
  return paths
}

/**
 * How long all of it takes with this number of workers, in milliseconds: played through, a free worker always taking
 * the ready piece with the longest remaining path, as the queue does. Never less than the longest path, nor than the
 * sum shared among the workers. The same rules for `works` as above.
 */
export function makespan(works: readonly Work[], workers: number): number {
  const paths = remainingPaths(works)
  const unmet = new Map(works.map(({ id, needs }) => [id, needs.filter((need) => paths.has(need)).length]))
  const dependants = new Map<string, Work[]>()
  for (const work of works) {
    for (const need of work.needs) dependants.set(need, [...(dependants.get(need) ?? []), work])
  }
  const ready = works.filter(({ id }) => unmet.get(id) === 0)
  const running: { work: Work; until: number }[] = []
  let now = 0
  while (ready.length + running.length > 0) {
    ready.sort((a, b) => paths.get(b.id)! - paths.get(a.id)!)
    while (running.length < workers && ready.length > 0) {
      const work = ready.shift()!
      running.push({ work, until: now + work.ms })
    }
    running.sort((a, b) => a.until - b.until)
    const first = running.shift()!
    now = first.until
    for (const dependant of dependants.get(first.work.id) ?? []) {
      const left = unmet.get(dependant.id)! - 1
      unmet.set(dependant.id, left)
      if (left === 0) ready.push(dependant)
    }
  }
  return now
}

/**
 * What is taken for the duration of something that was never done before: the median of those that are known, or a
 * second each where none is, so that the longest chain goes first. The size of a source says little: a small one may be
 * a script that runs for minutes.
 */
export function usualMs(known: readonly number[]): number {
  if (known.length === 0) return 1000
  return known.toSorted((a, b) => a - b)[Math.floor(known.length / 2)]!
}
