import type { CompileSpec } from './spec.ts'

/**
 * For which deployment a package is being compiled, as people read it beside the plan of another one. `ms`: for how
 * long already; null while it waits in the queue.
 */
export function compiledFor(deployment: string, ms: number | null): string {
  if (ms === null) return `waits to be compiled for deployment ${deployment}`
  return `being compiled for deployment ${deployment} since ${Math.max(0, Math.round(ms / 1000))} s`
}

/** A package as it is called on Bull Board. */
export function packageName({ name, key, stemcell }: CompileSpec): string {
  return `${name} ${key.slice(0, 12)} on ${stemcell.os}/${stemcell.version}`
}
