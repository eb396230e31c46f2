import { instancePath, wholeNumber } from '../arguments.ts'
import { exit, type Verb } from '../verb.ts'

const exec: Verb<{ timeout: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .argument('<instance>', 'as `remodel instances` names it: web/0, or n1-a')
      .argument('<command...>', 'command and its arguments, after --')
      .usage('[options] <deployment> <instance> -- <command...>')
      .option('--timeout <seconds>', 'stop the command after this time', wholeNumber(1), 60)
  },
  examples: [
    ['exec web web/0 -- uptime', 'run one command; its exit code is passed through'],
    ["exec web db/0 -- sh -c 'ls /var/vcap/jobs'", 'with a shell of the instance'],
  ],
  async run(context, [deployment = '', instance = '', ...argv], options) {
    const path = instancePath(instance)
    const answer = await (await context.client()).exec(deployment, path, { argv, timeoutSeconds: options.timeout })
    if (context.json) context.document(answer)
    else {
      process.stdout.write(answer.stdout)
      process.stderr.write(answer.stderr)
      if (answer.exitCode === null)
        context.remark(`remodel: the command did not end by itself within ${options.timeout} s`)
    }
    return answer.exitCode ?? exit.failed
  },
}

export default exec
