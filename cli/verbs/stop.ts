import { defineLifecycleVerb } from '../lifecycle.ts'

/** Stops the processes of instances, which stay stopped through later deploys. */
export default defineLifecycleVerb({
  action: 'stop',
  isRolling: true,
  ending: 'Stopped, until they are started again.',
  examples: [
    ['stop web', 'every instance of web stops; its machines and disks stay'],
    ['stop web api/0', 'one instance; later deploys leave it stopped, and say so'],
  ],
})
