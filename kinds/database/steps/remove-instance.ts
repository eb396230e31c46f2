import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { instanceSlot } from '../postgres/names.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { readFences } from '../server/fences.ts'
import { doesAnswer } from '../server/machine.ts'
import { place } from '../server/place.ts'
import { lookAt } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { shell } from '../server/shell.ts'

/** Only what is whole is worth keeping, and never less than what is kept already. */
const putAside = `cd ${place.root} 2>/dev/null || exit 0
  if [ -e ${place.whole} ] && [ ! -e ${place.aside} ]; then mv ${place.data} ${place.aside}; fi
  rm -rf ${place.data} ${place.whole} ${place.applied} ${place.target} ${place.log}`

/** Ends a server, removes its data, and frees the log that others held for it. */
export default defineStep({
  input: inputs['remove-instance'],
  look: async () => null,
  async apply(context, { member, peers, aside, resource, machineGoes }) {
    const vm = await context.provider.findVm(member.vm)
    if (vm?.state === 'running' && machineGoes && !(await doesAnswer(context.provider, member.vm))) {
      context.say('ending its machine, which does not answer')
      await context.provider.deleteVm(member.vm, context.fence)
    } else if (vm?.state === 'running') {
      const connection = await context.provider.connect(member.vm, context.fence)
      try {
        if (aside) await keepFences(context.provider, connection, member, String(resource.attributes.database_name))
        context.say('stopping')
        await connection.supervise([])
        await failpoint('remove-instance.stopped')
        await shell(connection, aside ? putAside : `rm -rf ${place.root}`)
        if (aside) await failpoint('remove-instance.aside')
      } finally {
        connection.close()
      }
    }
    const answering = (await lookAt(context.provider, peers)).filter(({ recovering }) => recovering !== null)
    await Promise.all(
      answering.map(({ member: peer }) => dropSlot(context.provider, peer, instanceSlot(member.instance))),
    )
    await failpoint('remove-instance.freed')
  },
  verify: async (context, input) => recorded(context, input),
})

async function dropSlot(machines: Machines, on: Member, name: string): Promise<void> {
  const session = await openSession(machines, on, 'postgres')
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

async function keepFences(machines: Machines, connection: Connection, member: Member, database: string): Promise<void> {
  const seen = await readFences(machines, member, database)
  if (Object.keys(seen).length > 0) await connection.write(place.fences, JSON.stringify(seen))
}
