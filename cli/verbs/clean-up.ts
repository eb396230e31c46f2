import { bytesText } from '../../shared/model/bytes-text.ts'
import { exit, type Verb } from '../verb.ts'
import { count } from '../views/table.ts'

const cleanUp: Verb<{ dryRun?: boolean; all?: boolean }> = {
  configure(command) {
    command
      .option('--dry-run', 'list what would be deleted; change nothing')
      .option('--all', 'also releases and compiled packages that no deployment uses')
      .addHelpText('after', '\nWhat is younger than REMODEL_KEEP_BLOBS_DAYS (7) of the planner always stays.')
  },
  examples: [
    ['clean-up --dry-run', 'how much could go'],
    ['clean-up --all', 'keep only what the deployments need'],
  ],
  async run(context, _args, { dryRun = false, all = false }) {
    const cleaned = await (await context.client()).cleanUp({ dryRun, all })
    if (context.json) {
      context.document({ ...cleaned, dryRun })
      return exit.done
    }
    const would = dryRun ? 'Would delete' : 'Deleted'
    for (const release of cleaned.releases) context.say(`  release ${release}`)
    if (all) context.say(`  ${count(cleaned.compiled, 'compiled package')}`)
    context.say(`${would} ${count(cleaned.blobs, 'blob')}, ${bytesText(cleaned.bytes)}; ${cleaned.kept} stay.`)
    return exit.done
  },
}

export default cleanUp
