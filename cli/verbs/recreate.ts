import { defineLifecycleVerb } from '../lifecycle.ts'

/** Makes the machines of instances anew; their disks stay. */
export default defineLifecycleVerb({
  action: 'recreate',
  isRolling: true,
  ending: 'All of them have new machines.',
  examples: [
    ['recreate web api/0', 'a new machine for one instance, with its disk'],
    ['recreate web', 'new machines for all, one after the other'],
  ],
})
