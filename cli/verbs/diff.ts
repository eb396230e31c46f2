import { RemodelError } from '../../shared/runtime/errors.ts'
import { wholeNumber } from '../arguments.ts'
import { exit, type Verb } from '../verb.ts'
import { lineDiff } from '../views/line-diff.ts'

const diff: Verb<{ from?: number; to?: number }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('--from <n>', 'version of `remodel versions`; the one before, if left out', wholeNumber(1))
      .option('--to <n>', 'version that it is compared with; the newest, if left out', wholeNumber(1))
  },
  examples: [
    ['diff web', 'what the last deploy changed in the manifest of web'],
    ['diff web --from 3', 'what has changed since version 3'],
  ],
  async run(context, [deployment = ''], options) {
    const client = await context.client()
    const now = await client.order(deployment, options.to)
    const older = (await client.orders(deployment)).find(({ version }) => version < now.version)
    const from = options.from ?? older?.version
    if (from === undefined)
      throw new RemodelError('not-found', `version ${now.version} of ${deployment} is the oldest that is kept`)
    const before = await client.order(deployment, from)
    const lines = lineDiff(before.order.manifest.content, now.order.manifest.content)
    const same = lines.every((line) => line.startsWith(' '))
    if (context.json) context.document({ deployment, from, to: now.version, same, lines })
    else if (same) context.say(`The manifests of versions ${from} and ${now.version} of ${deployment} are the same.`)
    else for (const line of lines) context.say(line)
    return exit.done
  },
}

export default diff
