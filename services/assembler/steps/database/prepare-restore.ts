import { RemodelError } from '../../../../shared/errors.ts'
import { inputs } from '../../../../shared/kinds/database.ts'
import { defineStep } from '../step.ts'
import { always } from './archive/every.ts'
import { neededFor } from './archive/restore.ts'
import { shipLog } from './archive/ship.ts'
import { findPrimary } from './server/primary.ts'

/**
 * Before anything is taken down: what the source has written up to now is archived, where it still stands and is of that line,
 * and all that the restore reads is there.
 */
export default defineStep({
  input: inputs['prepare-restore'],
  look: async () => null,
  async apply(context, { restore, members }) {
    const primary = await findPrimary(context.provider, members)
    if (!primary) return
    context.say(`archiving what ${restore.node} has written up to now`)
    const { deployment, node } = restore
    await shipLog(context, { deployment, node, primary, members }, always())
  },
  async verify(context, { restore }) {
    try {
      const { backup, files } = await neededFor(context, restore)
      return { floorplan: {}, facts: { backup: backup.id, files: files.length } }
    } catch (cause) {
      if (!(cause instanceof RemodelError) || cause.code !== 'not-found') throw cause
      throw new RemodelError('job-failed', `nothing was changed: ${cause.message}`, { cause })
    }
  },
})
