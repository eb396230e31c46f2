import { exit, type Verb } from '../verb.ts'

const unlock: Verb = {
  configure(command) {
    command.argument('<lock-id>', 'as `remodel locks` shows it; a resource name is not enough')
  },
  examples: [['unlock 7c1f0e', 'take this one lock away, though its holder may still be at work']],
  async run(context, [id = '']) {
    await (await context.client()).unlock(id)
    if (context.json) context.document({ unlocked: id })
    else context.say(`Lock ${id} is taken away.`)
    return exit.done
  },
}

export default unlock
