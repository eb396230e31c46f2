import { SourceDocument } from '../../shared/source/document.ts'
import { readSource } from '../files.ts'
import { exit, type Verb } from '../verb.ts'

const updateCloudConfig: Verb<{ name: string }> = {
  configure(command) {
    command
      .argument('<file>', 'cloud config; - reads the standard input')
      .option('--name <name>', 'store it beside others under this name', 'default')
  },
  examples: [['update-cloud-config cloud.yml', 'plans made from now on use it; nothing changes by itself']],
  async run(context, [file = ''], options) {
    const source = await readSource(file)
    // Read here first, so that a broken file is refused with the user's own name of it.
    new SourceDocument(source.name, source.content)
    await (await context.client()).putConfig('cloud', options.name, source.content)
    if (context.json) context.document({ type: 'cloud', name: options.name, stored: true })
    else context.say(`Cloud config ${options.name} is stored. Plans made from now on use it.`)
    return exit.done
  },
}

export default updateCloudConfig
