import { gather, requireConsent, showAskApply, type Verb, wholeNumber } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** A base backup of every archived node, or of those named, as a plan like everything else. */
const backupDatabase: Verb<{ node?: string[]; yes?: boolean; waitLock?: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('--node <name>', 'of this node only; may be given several times', gather)
      .option('-y, --yes', 'do not ask')
      .option('--wait-lock <seconds>', 'how long to wait for a deployment that is locked', wholeNumber(0))
  },
  examples: [
    ['backup-database shop', 'every node that has a backup_config'],
    ['backup-database shop --node n1 -y', 'one node, without a question'],
  ],
  async run(context, [deployment = ''], { node = [], yes = false, waitLock = 0 }) {
    requireConsent(yes, context, `remodel backups ${deployment}`)
    const client = await clientOf(context)
    const order = { nodes: node }
    return showAskApply(() => client.planBackUp(deployment, order), context, {
      yes,
      waitLock,
      ending: `${deployment} is backed up: remodel backups ${deployment}`,
    })
  },
}

export default backupDatabase
