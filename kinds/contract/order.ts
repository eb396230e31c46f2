import { RemodelError } from '../../shared/runtime/errors.ts'

/**
 * Ids so that everything comes after what it needs; ties keep the given order. Needs outside `ids` are ignored.
 * Throws `conflict` where there is a cycle, naming one.
 */
export function inOrder(ids: readonly string[], needs: (id: string) => readonly string[]): string[] {
  const known = new Set(ids)
  const state = new Map<string, 'open' | 'done'>()
  const ordered: string[] = []
  for (const root of ids) {
    // An explicit stack: plans may be chains of tens of thousands.
    const stack: { id: string; rest: Iterator<string> }[] = []
    const enter = (id: string) => {
      state.set(id, 'open')
      stack.push({ id, rest: needs(id)[Symbol.iterator]() })
    }
    if (!state.has(root)) enter(root)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.rest.next()
      if (next.done) {
        state.set(top.id, 'done')
        ordered.push(top.id)
        stack.pop()
      } else if (known.has(next.value)) {
        if (state.get(next.value) === 'open')
          throw cycleError(
            stack.map((frame) => frame.id),
            next.value,
          )
        if (!state.has(next.value)) enter(next.value)
      }
    }
  }
  return ordered
}

function cycleError(open: readonly string[], again: string): RemodelError {
  const cycle = [...open.slice(open.indexOf(again)), again]
  return new RemodelError('conflict', `these need each other: ${cycle.join(' -> ')}`, { details: { cycle } })
}
