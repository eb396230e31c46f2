import { exit, type Verb } from '../verb.ts'
import { table } from '../views/table.ts'

const stemcells: Verb = {
  configure() {},
  examples: [['stemcells', 'names, operating systems and versions']],
  async run(context) {
    const list = await (await context.client()).stemcells()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('No stemcells. Upload one with: remodel upload-stemcell FILE')
    else {
      const rows = list.map((one) => [one.name, one.os, one.version, one.digest ?? 'light'])
      for (const line of table(context.style, ['Name', 'OS', 'Version', 'Content'], rows)) context.say(line)
    }
    return exit.done
  },
}

export default stemcells
