import { exit, type Verb } from '../verb.ts'
import { statePainted } from '../views/state.ts'

const why: Verb = {
  configure(command) {
    command.argument('<plan>', 'id of a plan').argument('<remodel...>', 'id of a remodel, as `task --verbose` shows it')
  },
  examples: [['why p3f2a91c04d7e start-instance web/1', 'what web/1 is waiting for']],
  async run(context, [id = '', ...words]) {
    const answer = await (await context.client()).why(id, words.join(' '))
    if (context.json) context.document(answer)
    else {
      context.say(`${context.style.bold(answer.remodel)} is ${statePainted(answer.state, context.style)}`)
      for (const reason of answer.waitsFor) context.say(`  waits for ${reason}`)
      if (answer.waitsFor.length === 0) context.say('  waits for nothing')
    }
    return exit.done
  },
}

export default why
