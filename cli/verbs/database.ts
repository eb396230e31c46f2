import { findDatabase } from '../databases.ts'
import { exit, type Verb } from '../verb.ts'
import { databaseLines } from '../views/database.ts'

const database: Verb = {
  configure(command) {
    command.argument('<name>', 'name of its deployment')
  },
  examples: [['database shop', 'its servers: node, host, role, state, how far behind, and where a running plan is']],
  async run(context, [name = '']) {
    const found = await findDatabase(name, await context.client())
    if (context.json) context.document(found)
    else for (const line of databaseLines(found, context.style)) context.say(line)
    return exit.done
  },
}

export default database
