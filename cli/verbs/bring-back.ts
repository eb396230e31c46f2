import { bringBack } from '../bring-back.ts'
import type { Context } from '../context.ts'
import { exit, type Verb } from '../verb.ts'
import { plain } from '../views/style.ts'

const verb: Verb = {
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
    const names = deployments.length > 0 ? deployments : (await client.deployments()).map(({ name }) => name)
    const tell = sayAbout(context)
    const left = await bringBack(names, { client, tell, message: 'bring-back' })
    if (left.length > 0) return exit.failed
    if (!context.json) context.say('Every deployment is as it was recorded.')
    return exit.done
  },
}

export default verb

function sayAbout(context: Context): (deployment: string, sentence: string) => void {
  return (deployment, sentence) => {
    if (context.json) context.line({ at: Date.now(), deployment, message: sentence })
    else context.say(`${context.style.bold(plain(deployment))} ${plain(sentence)}`)
  }
}
