import { requireConsent, showAskApply, type Verb, wholeNumber } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** Makes a server the primary of its node, as a plan like everything else. */
const promote: Verb<{ yes?: boolean; waitLock?: number; acceptLoss?: boolean }> = {
  configure(command) {
    command
      .argument('<deployment>', 'of a database')
      .argument('<server>', 'the server that is to take writes: n1-b')
      .option('-y, --yes', 'do not ask')
      .option('--wait-lock <seconds>', 'how long to wait for a deployment that is locked', wholeNumber(0))
      .option('--accept-loss', 'also where something that was acknowledged may be lost')
  },
  examples: [
    ['promote shop n1-b', 'n1-b takes over from the primary of n1; nothing is lost, and refused where it is behind'],
    ['promote shop n1-b -y', 'without a question'],
  ],
  async run(context, [deployment = '', server = ''], { yes = false, waitLock = 0, acceptLoss = false }) {
    requireConsent(yes, context, `remodel database ${deployment}`)
    const client = await clientOf(context)
    const order = { server, acceptLoss }
    return showAskApply(() => client.planPromotion(deployment, order), context, {
      yes,
      waitLock,
      ending: `${server} takes writes.`,
    })
  },
}

export default promote
