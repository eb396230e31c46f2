import type { Kind, KindTools } from '../contract/kind.ts'
import { recognises } from './recognises.ts'

/**
 * The parts of this kind, each loaded when it is first needed. It has no verbs: releases, stemcells and configs are the
 * catalog's, which every kind may use, and what is left (instances, logs, exec) is of all kinds.
 */
const deployment = {
  recognises,
  phrases: async () => (await import('./reasons.ts')).phrases,
  otherWords: async () => (await import('./cli/bosh.ts')).boshWords,
  open: async (tools: KindTools): Promise<Kind> => (await import('./kind.ts')).open(tools),
}

export default deployment
