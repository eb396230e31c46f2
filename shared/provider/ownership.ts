import type { Ownership } from './provider.ts'

/** Whether a filter of `Provider.listVms` and `listDisks` lets these through. */
export function owned(ownership: Ownership, filter: Partial<Ownership> = {}): boolean {
  return Object.entries(filter).every(([key, value]) => {
    if (key === 'owner' && value?.endsWith('/')) return ownership.owner.startsWith(value)
    return value === undefined || ownership[key] === value
  })
}
