import { defineLifecycleVerb } from '../lifecycle.ts'

/** Takes an ignore back. */
export default defineLifecycleVerb({
  action: 'unignore',
  isRolling: false,
  ending: 'Plans touch them again.',
  examples: [['unignore web api/0', 'the next deploy brings api/0 up to date']],
})
