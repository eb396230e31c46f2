import { wholeNumber } from '../arguments.ts'
import { requireConsent, showAskApply } from '../carry-out.ts'
import type { Verb } from '../verb.ts'

const remove: Verb<{ yes?: boolean; waitLock?: number; skipDrain?: boolean }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('-y, --yes', 'do not ask')
      .option('--skip-drain', 'stop jobs without their pre-stop and drain scripts')
      .option('--wait-lock <seconds>', 'wait so long for a deployment that is locked', wholeNumber(0))
  },
  examples: [
    ['delete web', 'show what goes, ask, and take it away'],
    ['delete web -y', 'without a question'],
  ],
  async run(context, [deployment = ''], options) {
    requireConsent(options.yes === true, context, `remodel instances ${deployment}`)
    const client = await context.client()
    return showAskApply(() => client.planRemoval(deployment, { skipDrain: options.skipDrain === true }), context, {
      yes: options.yes === true,
      waitLock: options.waitLock ?? 0,
      ending: `${deployment} is gone.`,
    })
  },
}

export default remove
