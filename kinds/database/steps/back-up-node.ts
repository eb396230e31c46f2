import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { archivesOf } from '../archive/archives.ts'
import { copyToBlobs } from '../archiving/backup.ts'
import { always } from '../archiving/every.ts'
import { shipLog } from '../archiving/ship.ts'
import { inputs } from '../inputs.ts'
import { primaryOf } from '../server/primary.ts'

/**
 * A base backup of a node's primary in the blobstore, with the log that makes it whole. It counts once it is entered in
 * the archive, after all that. Cut off before, it is made anew; cut off after, there is one more than was asked for.
 */
export default defineStep({
  input: inputs['back-up-node'],
  look: async () => null,
  async apply(context, { deployment, node, database, members, keep }) {
    const primary = await primaryOf(context.provider, members, context.signal)
    const of = { deployment, node, primary, members }
    const ship = async (seal: boolean) => {
      const sealing = { ...always(), due: () => seal }
      const shipped = await shipLog(context, of, sealing)
      if (shipped) return shipped.line
      throw new RemodelError('infrastructure', `${primary.instance} keeps no log for the archive`)
    }
    const line = await ship(false)
    const backup = await copyToBlobs(context, { node, primary, database })
    context.say('archiving the log')
    if ((await ship(true)) !== line) throw new RemodelError('infrastructure', `${node} was restored meanwhile`)
    await failpoint('back-up-node.shipped')
    await archivesOf(context.stores).addBackup(deployment, { ...backup, line })
    await failpoint('back-up-node.entered')
    if (keep !== null) await archivesOf(context.stores).prune(deployment, node, line, keep)
  },
  async verify(context, { deployment, node }) {
    const last = (await archivesOf(context.stores).backups(deployment)).findLast((backup) => backup.node === node)
    if (!last) throw new RemodelError('infrastructure', `the backup of ${node} is not in the archive`)
    return { floorplan: {}, facts: { backup: last.id, bytes: last.bytes } }
  },
})
