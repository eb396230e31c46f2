import { bringBack } from '../bring-back.ts'
import { exit, type Verb } from '../verb.ts'
import { plain } from '../views/style.ts'

const bringBackVerb: Verb = {
  configure(command) {
    command
      .argument('[deployments...]', 'all of them, if left out')
      .addHelpText('after', '\nExit codes: 0 all are as they were recorded, 1 not.')
  },
  examples: [
    ['bring-back', 'after a restart of the computer: make anew what is gone of all deployments'],
    ['bring-back web', 'of one deployment'],
  ],
  async run(context, deployments) {
    const client = await context.client()
    // A name that nothing has is a wrong use, and nothing is begun.
    await Promise.all(deployments.map((name) => client.deployment(name)))
    const left = await bringBack({
      client,
      ...(deployments.length > 0 ? { deployments } : {}),
      tell: (deployment, sentence) => {
        if (context.json) context.line({ at: Date.now(), deployment, message: sentence })
        else context.say(`${context.style.bold(plain(deployment))} ${plain(sentence)}`)
      },
      message: 'bring-back',
      signal: new AbortController().signal,
    })
    if (left.length > 0) return exit.failed
    context.say(`${deployments.length > 0 ? deployments.join(', ') : 'Every deployment'} is as it was recorded.`)
    return exit.done
  },
}

export default bringBackVerb
