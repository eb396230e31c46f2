import { exit, type Verb } from '../verb.ts'

const cloudConfig: Verb<{ name: string }> = {
  configure(command) {
    command.option('--name <name>', 'the one that is stored under this name', 'default')
  },
  examples: [['cloud-config > cloud.yml', 'the text as it was stored']],
  async run(context, _words, { name }) {
    const config = await (await context.client()).config('cloud', name)
    if (context.json) context.document(config)
    else context.raw(config.content.replace(/\n$/, ''))
    return exit.done
  },
}

export default cloudConfig
