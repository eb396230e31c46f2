import type { Kind } from '../contract/kind.ts'
import { recognises } from './recognises.ts'

/** The parts of this kind, each loaded when it is first needed. */
const database = {
  recognises,
  open: async (): Promise<Kind> => (await import('./plan/index.ts')).kind,
  verbs: async () => (await import('./cli/index.ts')).verbs,
}

export default database
