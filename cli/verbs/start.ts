import { defineLifecycleVerb } from '../lifecycle.ts'

/** Starts what was stopped, with all that has changed meanwhile. */
export default defineLifecycleVerb({
  action: 'start',
  isRolling: true,
  ending: 'They run.',
  examples: [
    ['start web', 'whatever of web was stopped runs again'],
    ['start web api/0', 'one instance'],
  ],
})
