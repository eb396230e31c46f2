import { actorText } from '../../shared/model/actor.ts'
import { exit, type Verb } from '../verb.ts'
import { table } from '../views/table.ts'
import { ago } from '../views/time.ts'

const versions: Verb = {
  configure(command) {
    command.argument('<deployment>')
  },
  examples: [['versions web', 'the orders that web was deployed by, the newest first']],
  async run(context, [deployment = '']) {
    const orders = await (await context.client()).orders(deployment)
    if (context.json) context.document(orders)
    else {
      const rows = orders.map(({ version, at, by, plan, message }) => [
        String(version),
        ago(at),
        by === null ? '-' : actorText(by),
        plan,
        message,
      ])
      for (const line of table(context.style, ['Version', 'Since', 'By', 'Plan', 'Message'], rows)) context.say(line)
    }
    return exit.done
  },
}

export default versions
