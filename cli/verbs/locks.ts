import { actorText } from '../../shared/model/actor.ts'
import { exit, type Verb } from '../verb.ts'
import { table } from '../views/table.ts'
import { ago } from '../views/time.ts'

const locks: Verb = {
  configure() {},
  examples: [['locks', 'each lock with its holder, time and plan']],
  async run(context) {
    const list = await (await context.client()).locks()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('Nothing is locked.')
    else {
      const rows = list.map((lock) => [
        lock.id,
        lock.resource,
        actorText(lock.holder),
        ago(lock.since),
        lock.plan ?? '-',
        lock.message,
      ])
      for (const line of table(context.style, ['Id', 'Resource', 'Holder', 'Since', 'Plan', 'Message'], rows))
        context.say(line)
    }
    return exit.done
  },
}

export default locks
