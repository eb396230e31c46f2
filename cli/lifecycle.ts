import { numberOrShare, wholeNumber } from './arguments.ts'
import { showAskApply } from './carry-out.ts'
import { requireConsent } from './consent.ts'
import type { Verb } from './verb.ts'

interface Options {
  skipDrain?: boolean
  canaries?: number
  maxInFlight?: string
  switchOver?: boolean
  yes?: boolean
  waitLock?: number
}

/** A verb that asks something of instances: a plan of the action of its name, which touches no others. */
interface Lifecycle {
  action: 'stop' | 'start' | 'restart' | 'recreate' | 'ignore' | 'unignore'
  /** Instances are stopped or started by it, one after the other. */
  isRolling: boolean
  /** Sentence of a good end. */
  ending: string
  examples: Verb['examples']
}

export function defineLifecycleVerb({ action, isRolling, ending, examples }: Lifecycle): Verb<Options> {
  return {
    configure(command) {
      command.argument('<deployment>').argument('[parts...]', 'groups and instances: web, web/0; default: all')
      if (isRolling)
        command
          .option('--skip-drain', 'stop jobs without their pre-stop and drain scripts')
          .option('--canaries <n>', 'so many first, and the others when they are healthy', wholeNumber(0))
          .option('--max-in-flight <n|%>', 'how many instances change at once', numberOrShare)
      if (action === 'restart')
        command.option('--switch-over', 'what has a replica hands over to it, where it would be started again in place')
      command
        .option('-y, --yes', 'do not ask')
        .option('--wait-lock <seconds>', 'seconds to wait for a deployment that another plan holds', wholeNumber(0))
    },
    examples,
    async run(context, [deployment = '', ...parts], options) {
      const { yes = false, waitLock = 0 } = options
      requireConsent(yes, context, `remodel instances ${deployment}`)
      const client = await context.client()
      const draw = () => client.planAction(deployment, action, { parts: [...parts], ...asked(options) })
      return showAskApply(draw, context, { yes, waitLock, ending })
    },
  }
}

/** What was said on the command line of those that the action takes. */
function asked({ skipDrain, canaries, maxInFlight, switchOver }: Options): Omit<Options, 'yes' | 'waitLock'> {
  return {
    ...(skipDrain === undefined ? {} : { skipDrain }),
    ...(canaries === undefined ? {} : { canaries }),
    ...(maxInFlight === undefined ? {} : { maxInFlight }),
    ...(switchOver === undefined ? {} : { switchOver }),
  }
}
