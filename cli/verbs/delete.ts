import { wholeNumber } from '../arguments.ts'
import { showAskApply } from '../carry-out.ts'
import { requireConsent } from '../consent.ts'
import type { Verb } from '../verb.ts'

const remove: Verb<{ yes?: boolean; waitLock?: number; skipDrain?: boolean }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('-y, --yes', 'do not ask')
      .option('--skip-drain', 'stop jobs without their pre-stop and drain scripts')
      .option('--wait-lock <seconds>', 'seconds to wait for a deployment that another plan holds', wholeNumber(0))
  },
  examples: [
    ['delete web', 'show the plan, ask, and remove the deployment'],
    ['delete web -y', 'without a question'],
  ],
  async run(context, [deployment = ''], options) {
    const client = await context.client()
    await client.instances(deployment)
    requireConsent(options.yes === true, context, `remodel instances ${deployment}`)
    return showAskApply(() => client.planRemoval(deployment, { skipDrain: options.skipDrain === true }), context, {
      yes: options.yes === true,
      waitLock: options.waitLock ?? 0,
      ending: `${deployment} is gone.`,
    })
  },
}

export default remove
