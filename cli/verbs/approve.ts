import { exit, type Verb } from '../verb.ts'

const approve: Verb<{ reject?: boolean }> = {
  configure(command) {
    command
      .argument('<plan>', 'id of a plan')
      .argument('<remodel...>', 'id of the remodel that waits')
      .option('--reject', 'refuse instead: the plan fails there')
  },
  examples: [
    ['approve p3f2a91c04d7e approve fail-over node/n1', 'let a fail-over go on that may lose rows'],
    ['approve p3f2a91c04d7e approve fail-over node/n1 --reject', 'stop it there'],
  ],
  async run(context, [id = '', ...words], options) {
    const remodel = words.join(' ')
    const status = await (await context.client()).approve(id, remodel, options.reject !== true)
    if (context.json) context.document(status)
    else
      context.say(
        options.reject ? `Rejected: ${remodel}. The plan ends there.` : `Approved: ${remodel}. The plan goes on.`,
      )
    return exit.done
  },
}

export default approve
