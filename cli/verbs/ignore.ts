import { defineLifecycleVerb } from '../lifecycle.ts'

/** Leaves instances alone, whatever is deployed. */
export default defineLifecycleVerb({
  action: 'ignore',
  isRolling: false,
  ending: 'No plan touches them until they are ignored no more.',
  examples: [['ignore web api/0', 'no plan touches api/0, and nothing of it is mended']],
})
