import { wholeNumber } from '../arguments.ts'
import { exit, type Verb } from '../verb.ts'

const manifest: Verb<{ version?: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('--version <n>', 'of this version of `remodel versions`; the newest, if left out', wholeNumber(1))
  },
  examples: [
    ['manifest web > web.yml', 'the manifest that web was deployed with last'],
    ['manifest web --version 3', 'the one of an earlier version'],
  ],
  async run(context, [deployment = ''], { version }) {
    const kept = await (await context.client()).order(deployment, version)
    if (context.json) context.document(kept)
    else process.stdout.write(kept.order.manifest.content)
    return exit.done
  },
}

export default manifest
