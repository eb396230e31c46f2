import { exit, type Verb } from '../../../../cli/sdk.ts'
import { listDatabases } from '../databases.ts'
import { databasesTable } from '../views/database.ts'

const databases: Verb = {
  configure() {},
  examples: [['databases', 'nodes, instances, state, primaries and the last deploy of each']],
  async run(context) {
    const list = await listDatabases(await context.client())
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('There is no database. Begin with: remodel deploy FILE')
    else for (const line of databasesTable(list, context.style)) context.say(line)
    return exit.done
  },
}

export default databases
