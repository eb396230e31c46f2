import { exit, type Verb } from '../verb.ts'
import { count, table } from '../views/table.ts'

const configs: Verb = {
  configure() {},
  examples: [['configs', 'types and names; `cloud-config --name NAME` prints one']],
  async run(context) {
    const list = await (await context.client()).configs()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('No config is stored. Store one with: remodel update-cloud-config FILE')
    else {
      const rows = list.map(({ type, name, content }) => [
        type,
        name,
        count(content.trimEnd().split('\n').length, 'line'),
      ])
      for (const line of table(context.style, ['Type', 'Name', 'Length'], rows)) context.say(line)
    }
    return exit.done
  },
}

export default configs
