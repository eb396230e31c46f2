import { exit, type Verb } from '../verb.ts'

const cancel: Verb = {
  configure(command) {
    command.argument('<plan>', 'id of a plan')
  },
  examples: [['cancel p3f2a91c04d7e', 'begin nothing new; running remodels are stopped in order, cleanup still runs']],
  async run(context, [id = '']) {
    const status = await (await context.client()).cancel(id)
    if (context.json) context.document(status)
    else if (status.state === 'cancelled') context.say(`${id} is cancelled.`)
    else context.say(`${id} is being cancelled. To watch it: remodel task ${id} --follow`)
    return exit.done
  },
}

export default cancel
