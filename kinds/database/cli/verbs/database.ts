import { type Context, exit, type Verb } from '../../../../cli/sdk.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { clientOf } from '../client.ts'
import { findDatabase } from '../databases.ts'
import { comparisonLines } from '../views/comparison.ts'
import { databaseLines } from '../views/database.ts'

const database: Verb = {
  configure(command) {
    command
      .argument('<name>', 'name of its deployment; `compare` ahead of it: the nodes against each other')
      .argument('[compared]')
      .usage('[options] [compare] <name>')
  },
  examples: [
    ['database shop', 'its servers: node, host, role, state, how far behind, and where a running plan is'],
    [
      'database compare shop',
      'the rows of all tables on all nodes: which differ, by their keys; exit code 1 where some do',
    ],
  ],
  async run(context, [first = '', compared]) {
    if (compared !== undefined) return compare(context, first, compared)
    const found = await findDatabase(first, await context.client())
    if (context.json) context.document(found)
    else for (const line of databaseLines(found, context.style)) context.say(line)
    return exit.done
  },
}

export default database

async function compare(context: Context, word: string, name: string): Promise<number> {
  if (word !== 'compare')
    throw new RemodelError(
      'invalid-input',
      `there is no \`remodel database ${word} NAME\`: it is \`remodel database compare NAME\``,
    )
  const found = await (await clientOf(context)).compareNodes(name)
  if (context.json) context.document(found)
  else for (const line of comparisonLines(name, found, context.style)) context.say(line)
  return found.tables.every(({ state }) => state === 'same') ? exit.done : exit.failed
}
