import { wholeNumber } from '../arguments.ts'
import { showAskApply } from '../carry-out.ts'
import { requireConsent } from '../consent.ts'
import { addPlanningOptions, type PlanningOptions, planRequest, withReleases } from '../inputs.ts'
import { uploadManifestReleases } from '../manifest-releases.ts'
import type { Verb } from '../verb.ts'

interface Options extends PlanningOptions {
  yes?: boolean
  waitLock?: number
}

const deploy: Verb<Options> = {
  configure(command) {
    command.argument('<file>', 'manifest; - reads the standard input')
    addPlanningOptions(command)
    command
      .option('-y, --yes', 'do not ask')
      .option('--wait-lock <seconds>', 'seconds to wait for a deployment that another plan holds', wholeNumber(0))
  },
  examples: [
    ['deploy web.yml', 'show the plan, ask, apply it and watch'],
    ['deploy web.yml -y --not-before 22:00 --not-after 04:00', 'tonight, or not at all'],
    ['deploy web.yml -y --wait-lock 600', 'in a pipeline: wait up to ten minutes for a running deploy'],
  ],
  async run(context, [file = ''], options) {
    const request = await planRequest(file, options)
    requireConsent(options.yes === true, context, `remodel plan ${file}`)
    const client = await context.client()
    const releases = await uploadManifestReleases(request.manifest, client, context)
    const draw = () => client.plan(withReleases(request, releases))
    return showAskApply(draw, context, { yes: options.yes === true, waitLock: options.waitLock ?? 0 })
  },
}

export default deploy
