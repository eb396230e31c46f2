import { bytesText, exit, table, type Verb } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** Base backups of a database, oldest first. They outlive it: `restore_config` of another deploy can name them. */
const backups: Verb = {
  configure(command) {
    command.argument('<deployment>').addHelpText('after', '\nTimes are UTC, as `restore_config` takes them.')
  },
  examples: [['backups shop', 'when each was taken, how large it is, which times it can be restored to']],
  async run(context, [deployment = '']) {
    const list = await (await clientOf(context)).backups(deployment)
    if (context.json) context.document(list)
    else if (list.length === 0) {
      context.say(`${deployment} has no backups. Its document needs a backup_config: docs/use/database-kind.md`)
    } else {
      const rows = list.map((one) => [
        one.node,
        one.id,
        new Date(one.from).toISOString(),
        bytesText(one.bytes),
        bytesText(one.logBytes),
        one.until === null ? 'cannot be restored: its log is not whole' : `up to ${new Date(one.until).toISOString()}`,
      ])
      for (const line of table(context.style, ['Node', 'Backup', 'Taken at', 'Size', 'Log', 'Restorable'], rows)) {
        context.say(line)
      }
    }
    return exit.done
  },
}

export default backups
