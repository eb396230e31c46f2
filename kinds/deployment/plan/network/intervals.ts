import type { Interval, Ip } from './ip.ts'

/** Sorted, and without overlaps or seams. */
export function merge(intervals: readonly Interval[]): Interval[] {
  const merged: [Ip, Ip][] = []
  for (const [first, last] of [...intervals].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))) {
    const top = merged.at(-1)
    if (!top || first > top[1] + 1n) merged.push([first, last])
    else if (last > top[1]) top[1] = last
  }
  return merged
}

/** The interval of a merged list that holds `ip`; binary search. */
export function find(merged: readonly Interval[], ip: Ip): Interval | undefined {
  let [low, high] = [0, merged.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const interval = merged[middle]!
    if (ip < interval[0]) high = middle - 1
    else if (ip > interval[1]) low = middle + 1
    else return interval
  }
  return undefined
}

export function size(merged: readonly Interval[]): bigint {
  return merged.reduce((sum, [first, last]) => sum + last - first + 1n, 0n)
}
