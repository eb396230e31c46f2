import type { Actor } from '../../shared/model/actor.ts'

/** A person at a terminal. */
export const person = (name: string): Actor => ({ kind: 'person', name, via: 'cli' })
