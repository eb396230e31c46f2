import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs, type Member } from '../../../../shared/kinds/database.ts'
import { instanceSlot } from '../../../../shared/postgres/names.ts'
import { openSession } from '../../../../shared/postgres/server.ts'
import { defineStep } from '../step.ts'
import { place } from './server/place.ts'
import { lookAt } from './server/primary.ts'
import { recorded } from './server/record.ts'
import { shell } from './server/shell.ts'

/** Ends a server, removes its data, and frees the log that others held for it. */
export default defineStep({
  input: inputs['remove-instance'],
  look: async () => null,
  async apply(context, { member, peers }) {
    const vm = await context.provider.findVm(member.vm)
    if (vm?.state === 'running') {
      const connection = await context.provider.connect(member.vm, context.fence)
      try {
        context.say('stopping')
        await connection.supervise([])
        await failpoint('remove-instance.stopped')
        await shell(connection, `rm -rf ${place.root}`)
      } finally {
        connection.close()
      }
    }
    const answering = (await lookAt(peers)).filter(({ recovering }) => recovering !== null)
    await Promise.all(answering.map(({ member: peer }) => dropSlot(peer, instanceSlot(member.instance))))
    await failpoint('remove-instance.freed')
  },
  verify: async (context, input) => recorded(context, input),
})

async function dropSlot(on: Member, name: string): Promise<void> {
  const session = await openSession(on, 'postgres')
  try {
    await session.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
       WHERE slot_name = $1 AND slot_type = 'physical' AND NOT active`,
      [name],
    )
  } finally {
    await session.close()
  }
}
