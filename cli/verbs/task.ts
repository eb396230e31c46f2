import { watch } from '../carry-out.ts'
import { isFinal } from '../follow.ts'
import { exit, type Verb } from '../verb.ts'
import { planViewLines } from '../views/task.ts'

const task: Verb<{ follow?: boolean }> = {
  configure(command) {
    command.argument('<plan>', 'id of a plan').option('-f, --follow', 'watch it to its end; exit 0 done, 1 failed')
  },
  examples: [
    ['task p3f2a91c04d7e', 'its state, remodel by remodel'],
    ['task p3f2a91c04d7e --follow', 'come back to a deploy that you left'],
  ],
  async run(context, [id = ''], options) {
    const view = await (await context.client()).planView(id)
    if (options.follow && view.status.state !== 'stored' && !(isFinal(view.status.state) && !context.json)) {
      return watch(view, context)
    }
    if (context.json) context.document(view)
    else {
      for (const line of planViewLines(view, context.style, context.verbose, Date.now())) context.say(line)
    }
    return options.follow && view.status.state !== 'done' ? exit.failed : exit.done
  },
}

export default task
