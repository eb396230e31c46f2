import type { Kind } from '../contract/kind.ts'
import { recognises } from './recognises.ts'

/** The parts of this kind, each loaded when it is first needed. */
const database = {
  recognises,
  phrases: async () => (await import('./reasons.ts')).phrases,
  open: async (): Promise<Kind> => (await import('./kind.ts')).kind,
  variables: async () => await import('./variables.ts'),
  verbs: async () => (await import('./cli/index.ts')).verbs,
}

export default database
