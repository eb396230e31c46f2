import type { Kind, KindTools } from '../contract/kind.ts'

/** The parts of this kind, each loaded when it is first needed. It has no verbs: releases, stemcells and configs are the catalog's. */
const deployment = {
  open: async (tools: KindTools): Promise<Kind> => (await import('./plan/index.ts')).open(tools),
}

export default deployment
