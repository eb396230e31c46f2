import { requireConsent, showAskApply, type Verb, wholeNumber } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** Starts servers of a database again, one after the other, as a plan like everything else. */
const restart: Verb<{ yes?: boolean; waitLock?: number; switchOver?: boolean }> = {
  configure(command) {
    command
      .argument('<deployment>', 'of a database')
      .argument('[parts...]', 'nodes or servers: n1, n1-b; default: all')
      .option('--switch-over', 'a primary hands over to a replica instead of being started again in place')
      .option('-y, --yes', 'do not ask')
      .option('--wait-lock <seconds>', 'how long to wait for a deployment that is locked', wholeNumber(0))
  },
  examples: [
    ['restart shop', 'of each node its replicas, then its primary'],
    ['restart shop n1-b', 'one server'],
    ['restart shop n1 --switch-over', 'writes pause for the time of a switch-over only'],
  ],
  async run(context, [deployment = '', ...parts], { yes = false, waitLock = 0, switchOver = false }) {
    requireConsent(yes, context, `remodel database ${deployment}`)
    const client = await clientOf(context)
    const order = { parts: [...parts], switchOver }
    return showAskApply(() => client.planRestart(deployment, order), context, {
      yes,
      waitLock,
      ending: 'All of them were started again.',
    })
  },
}

export default restart
