import { exit, type Verb } from '../verb.ts'
import { table } from '../views/table.ts'
import { dateTime } from '../views/time.ts'
import { packageNames } from './upload-release.ts'

const releases: Verb = {
  configure() {},
  examples: [['releases', 'names, versions, what they hold and when they were uploaded']],
  async run(context) {
    const list = await (await context.client()).releases()
    if (context.json) context.document(list)
    else if (list.length === 0) context.say('No releases. Upload one with: remodel upload-release DIR')
    else {
      const rows = list.map((one) => [
        one.name,
        one.version,
        String(one.jobs.length),
        String(packageNames(one).size),
        one.uploadedAt === null ? '-' : dateTime(one.uploadedAt),
      ])
      for (const line of table(context.style, ['Name', 'Version', 'Jobs', 'Packages', 'Uploaded'], rows))
        context.say(line)
    }
    return exit.done
  },
}

export default releases
