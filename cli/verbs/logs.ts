import { instancePath, wholeNumber } from '../arguments.ts'
import { exit, type Verb } from '../verb.ts'
import { plain } from '../views/style.ts'

const logs: Verb<{ lines: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .argument('<instance>', 'GROUP/INDEX; of a database NODE-HOST: n1-a')
      .option('--lines <n>', 'so many last lines of each file', wholeNumber(1), 40)
  },
  examples: [
    ['logs web web/0', 'the last 40 lines of each log of web/0'],
    ['logs web web/0 --lines 500', 'more of them'],
  ],
  async run(context, [deployment = '', instance = ''], options) {
    const path = instancePath(instance)
    const answer = await (await context.client()).logs(deployment, path, options.lines)
    if (context.json) context.document(answer)
    else if (answer.files.length === 0) context.say(`${instance} has written no logs.`)
    else {
      for (const [index, file] of answer.files.entries()) {
        context.say(`${index > 0 ? '\n' : ''}${context.style.bold(`==> ${file.path} <==`)}`)
        context.raw(plain(file.content.replace(/\n$/, '')))
      }
    }
    return exit.done
  },
}

export default logs
