import { defineLifecycleVerb } from '../lifecycle.ts'

/** Stops and starts instances again, one after the other. */
export default defineLifecycleVerb({
  action: 'restart',
  isRolling: true,
  ending: 'All of them were started again.',
  examples: [
    ['restart web', 'every instance, at the pace of the manifest'],
    ['restart web api --max-in-flight 50%', 'one group, half of it at once'],
    ['restart shop n1 --switch-over', 'what takes writes hands over first, and they pause for less time'],
  ],
})
