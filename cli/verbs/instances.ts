import type { Instance } from '../../shared/api/schemas/instance.ts'
import { exit, type Verb } from '../verb.ts'
import { statePainted } from '../views/state.ts'
import type { Style } from '../views/style.ts'
import { count, table } from '../views/table.ts'
import { elapsed } from '../views/time.ts'

const instances: Verb<{ ps?: boolean; failing?: boolean }> = {
  configure(command) {
    command
      .argument('[deployment]', 'default: all')
      .option('--ps', 'show the processes of each instance')
      .option('--failing', 'only instances that do not run')
  },
  examples: [
    ['instances', 'every instance of every deployment'],
    ['instances web --ps', 'with processes, restarts and how long they run'],
  ],
  async run(context, [deployment], options) {
    const client = await context.client()
    const names = deployment === undefined ? (await client.deployments()).map((one) => one.name) : [deployment]
    const lists = await Promise.all(
      names.map(async (name) => ({ deployment: name, instances: await client.instances(name) })),
    )
    const shown = lists.map((list) => ({
      ...list,
      instances: list.instances.filter((one) => !options.failing || fails(one)),
    }))
    if (context.json) context.document(deployment === undefined ? shown : shown[0]?.instances)
    else if (shown.every((list) => list.instances.length === 0)) context.say('No instances.')
    else {
      for (const [index, list] of shown.filter((one) => one.instances.length > 0).entries()) {
        if (deployment === undefined) context.say(`${index > 0 ? '\n' : ''}${context.style.bold(list.deployment)}`)
        for (const line of instanceTable(list.instances, options.ps === true, context.style)) context.say(line)
      }
    }
    return exit.done
  },
}

export default instances

/** What is stopped or ignored is as a person wants it. */
const fails = ({ state, intents }: Instance) => state !== 'running' && intents.length === 0

function instanceTable(list: readonly Instance[], processes: boolean, style: Style): string[] {
  const rows = list.flatMap((one) => {
    const row = [
      one.instance,
      // A state that is wanted is not said twice.
      [statePainted(one.state, style), ...one.intents.filter((intent) => intent !== one.state)].join(', '),
      one.az ?? '-',
      one.addresses.join('\n') || '-',
      one.vm ?? '-',
      one.stemcell ?? '-',
      one.disk ?? '-',
    ]
    if (!processes) return [row]
    return [
      row,
      ...one.processes.map((process) => [
        style.dim(`  ${process.name}`),
        statePainted(process.state, style),
        style.dim(
          `${elapsed(process.uptimeMs)}${process.restarts > 0 ? `, ${count(process.restarts, 'restart')}` : ''}`,
        ),
      ]),
    ]
  })
  return table(style, ['Instance', 'State', 'AZ', 'Addresses', 'VM', 'Stemcell', 'Disk'], rows)
}
