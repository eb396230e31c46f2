import { wholeNumber } from '../arguments.ts'
import { showAskApply } from '../carry-out.ts'
import { requireConsent } from '../consent.ts'
import { addPlanOptions, type PlanningOptions, planOptions } from '../inputs.ts'
import type { Verb } from '../verb.ts'

interface Options extends PlanningOptions {
  to?: number
  yes?: boolean
  waitLock?: number
}

const rollback: Verb<Options> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('--to <n>', 'version of `remodel versions`; the one before that ended well, if left out', wholeNumber(1))
    addPlanOptions(command)
    command
      .option('-y, --yes', 'do not ask')
      .option('--wait-lock <seconds>', 'seconds to wait for a deployment that another plan holds', wholeNumber(0))
  },
  examples: [
    ['rollback web', 'make web again what it was before the last deploy: show the plan, ask, apply and watch'],
    ['rollback web --to 3 -y', 'make it what version 3 was, without a question'],
  ],
  async run(context, [deployment = ''], options) {
    requireConsent(options.yes === true, context, `remodel versions ${deployment}`)
    const client = await context.client()
    const request = { ...(options.to === undefined ? {} : { to: options.to }), options: planOptions(options) }
    const draw = () => client.planRollback(deployment, request)
    return showAskApply(draw, context, { yes: options.yes === true, waitLock: options.waitLock ?? 0 })
  },
}

export default rollback
