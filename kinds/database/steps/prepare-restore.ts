import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import type { ArchivedLog } from '../archive/chain.ts'
import { TransactionEnds } from '../archive/transactions.ts'
import { always } from '../archiving/every.ts'
import { neededFor } from '../archiving/restore.ts'
import { shipLog } from '../archiving/ship.ts'
import { inputs, type Restore } from '../inputs.ts'
import { findPrimary } from '../server/primary.ts'

const unpack = promisify(gunzip)

/**
 * Before anything is taken down: what the source has written up to now is archived, where it still exists and is of
 * that line, and all that the restore reads is there, with what it is to end at.
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
      const { backup, log, files } = await neededFor(context, restore)
      await refuseUnended(context, restore, { log, files })
      return { floorplan: {}, facts: { backup: backup.id, files: files.length } }
    } catch (cause) {
      if (!(cause instanceof RemodelError) || cause.code !== 'not-found') throw cause
      throw new RemodelError('job-failed', `nothing was changed: ${cause.message}`, { cause })
    }
  },
})

/**
 * A recovery to the number of a transaction ends with the record of its end; without one it replays all there is, and
 * then PostgreSQL gives up. What was not begun, is still going on, or ended with its server has none.
 */
async function refuseUnended(
  { blobs, signal, say }: StepContext,
  { target, node, backup }: Restore,
  { log, files }: { log: ArchivedLog; files: readonly string[] },
): Promise<void> {
  if (target.type !== 'xid') return
  const ends = new TransactionEnds(BigInt(target.value))
  for (const [index, file] of files.entries()) {
    signal.throwIfAborted()
    say(`looking for transaction ${target.value}: file ${index + 1} of ${files.length}`)
    ends.read(await unpack(await blobs.get(log.files.get(file)!.digest)))
    if (ends.found) return
  }
  throw new RemodelError(
    'not-found',
    `transaction ${target.value} does not end in what is archived of ${node} since ${backup}: choose another target`,
  )
}
