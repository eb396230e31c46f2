import { ask, count, exit, requireConsent, type Verb } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** Forgets what is archived of a deployment that does not stand any more. */
const deleteBackups: Verb<{ yes?: boolean }> = {
  configure(command) {
    command.argument('<deployment>').option('-y, --yes', 'yes, they cannot be restored any more')
  },
  examples: [['delete-backups shop -y', 'after `remodel delete shop`; the space is free after the next clean-up']],
  async run(context, [deployment = ''], { yes = false }) {
    requireConsent(yes, context, `remodel backups ${deployment}`)
    const client = await clientOf(context)
    if (!yes && !(await ask(`Delete all backups of ${deployment}? [y/N] `))) {
      context.say('Nothing was changed.')
      return exit.failed
    }
    const gone = await client.forgetBackups(deployment)
    if (context.json) context.document(gone)
    else context.say(`${count(gone.length, 'backup')} of ${deployment} deleted.`)
    return exit.done
  },
}

export default deleteBackups
