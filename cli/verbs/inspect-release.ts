import { RemodelError } from '../../shared/runtime/errors.ts'
import { exit, type Verb } from '../verb.ts'
import { count, table } from '../views/table.ts'

const inspect: Verb = {
  configure(command) {
    command.argument('<name/version>', 'as `remodel releases` lists it')
  },
  examples: [['inspect-release nginx/1.21.6', 'its jobs and packages, and what is compiled for which stemcell']],
  async run(context, [id = '']) {
    const { release, compiled } = await (await context.client()).release(...releaseId(id))
    if (context.json) context.document({ release, compiled })
    else {
      const { style } = context
      const jobs = release.jobs.map((job) => [job.name, short(job.fingerprint), job.packages.join(', ')])
      const sources = new Set(release.packages.map((one) => one.name))
      const packages = new Map(
        [...release.packages, ...(release.compiledPackages ?? [])].map((one) => [one.name, one] as const),
      )
      const rows = [...packages.values()].map((one) => [
        one.name,
        short(one.fingerprint),
        one.dependencies.join(', '),
        sources.has(one.name) ? 'yes' : 'no',
        (compiled[one.name] ?? []).join(', '),
      ])
      context.say(`${release.name}/${release.version}: ${count(jobs.length, 'job')}, ${count(rows.length, 'package')}`)
      context.say()
      for (const line of table(style, ['Job', 'Fingerprint', 'Packages'], jobs)) context.say(line)
      context.say()
      const headings = ['Package', 'Fingerprint', 'Needs', 'Source', 'Compiled for']
      for (const line of table(style, headings, rows)) context.say(line)
    }
    return exit.done
  },
}

export default inspect

/** `name/version` as two; throws `invalid-input`. */
export function releaseId(text: string): [name: string, version: string] {
  const at = text.indexOf('/')
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)]
  throw new RemodelError('invalid-input', `${text} is not a release: wanted NAME/VERSION (see \`remodel releases\`)`)
}

function short(fingerprint: string): string {
  return fingerprint.slice(0, 12)
}
