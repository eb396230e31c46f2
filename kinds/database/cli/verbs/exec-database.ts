import { exit, gather, plain, type Verb, wholeNumber } from '../../../../cli/sdk.ts'
import { clientOf } from '../client.ts'

/** Statements that change tables are not replicated: they are run on every node, or on none. */
const execDatabase: Verb<{ node?: string[]; limit?: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .argument('<sql>', 'statements, in one argument; all of them are one transaction on each node')
      .option('--node <name>', 'on this node only, to mend it; may be given several times', gather)
      .option(
        '--limit <seconds>',
        'so long the statements may take on each node, up to 3600 (default: 60)',
        wholeNumber(1, 3600),
      )
  },
  examples: [
    ["exec-database shop 'ALTER TABLE item ADD COLUMN note text'", 'on every node, or on none where one refuses'],
    ["exec-database shop --node n2 'CREATE TABLE extra (id int PRIMARY KEY)'", 'what a node lacks'],
  ],
  async run(context, [deployment = '', sql = ''], { node = [], limit }) {
    const outcomes = await (await clientOf(context)).runStatements(deployment, {
      sql,
      nodes: node,
      ...(limit === undefined ? {} : { limitSeconds: limit }),
    })
    if (context.json) context.document(outcomes)
    else {
      for (const { node: name, state, why } of outcomes) {
        const mark = state === 'done' ? context.style.green('✓') : context.style.red('✗')
        context.say(`${mark} ${name}: ${state}${why === null ? '' : `: ${plain(why)}`}`)
      }
    }
    return outcomes.every(({ state }) => state === 'done') ? exit.done : exit.failed
  },
}

export default execDatabase
