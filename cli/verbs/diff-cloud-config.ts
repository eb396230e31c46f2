import { readSource } from '../files.ts'
import { exit, type Verb } from '../verb.ts'
import { lineDiff } from '../views/line-diff.ts'

const diffCloudConfig: Verb<{ name: string }> = {
  configure(command) {
    command
      .argument('<file>', 'cloud config; - reads the standard input')
      .option('--name <name>', 'the stored one that it is compared with', 'default')
  },
  examples: [['diff-cloud-config cloud.yml', 'what `update-cloud-config cloud.yml` would change; stores nothing']],
  async run(context, [file = ''], { name }) {
    const { content } = await readSource(file)
    const stored = await (await context.client()).config('cloud', name)
    const lines = lineDiff(stored.content, content)
    const same = lines.every((line) => line.startsWith(' '))
    if (context.json) context.document({ type: 'cloud', name, same, lines })
    else if (same) context.say(`Cloud config ${name} is stored just so.`)
    else for (const line of lines) context.say(line)
    return exit.done
  },
}

export default diffCloudConfig
