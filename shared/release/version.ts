/**
 * Order of versions as BOSH has it: segments compare as numbers, a pre-release is before, a
 * post-release after its base.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)]
  return (
    compareSegments(left.base, right.base) ||
    // `1.0-rc.1` is before `1.0`.
    (left.pre === null ? 1 : 0) - (right.pre === null ? 1 : 0) ||
    compareSegments(left.pre ?? '', right.pre ?? '') ||
    // `1.0+dev.1` is after `1.0`.
    (left.post === null ? 0 : 1) - (right.post === null ? 0 : 1) ||
    compareSegments(left.post ?? '', right.post ?? '')
  )
}

/** Whether what was compiled on one stemcell version runs on another: BOSH asks for the same first number. */
export function sameMajor(a: string, b: string): boolean {
  return a.split(/[.+-]/)[0] === b.split(/[.+-]/)[0]
}

function split(version: string): { base: string; pre: string | null; post: string | null } {
  const [head = '', post = null] = version.split(/\+(.*)/s)
  const [base = '', pre = null] = head.split(/-(.*)/s)
  return { base, pre, post }
}

function compareSegments(a: string, b: string): number {
  const [left, right] = [a.split(/[.-]/), b.split(/[.-]/)]
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x = '0', y = '0'] = [left[at], right[at]]
    const numbers = /^\d+$/.test(x) && /^\d+$/.test(y)
    const order = numbers ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0
    if (order !== 0) return order
  }
  return 0
}
