import type { Release } from '../../shared/release/release.ts'
import { describeFault } from '../../shared/runtime/errors.ts'
import { uploadRelease } from '../upload.ts'
import { exit, type Verb } from '../verb.ts'
import { count } from '../views/table.ts'

const upload: Verb<{ version?: string }> = {
  configure(command) {
    command
      .argument('<dir|tgz|url>', 'release in the format of BOSH: directory, tarball, or the URL of a tarball')
      .option('--version <version>', 'version of a directory; default: made of its content')
  },
  examples: [
    ['upload-release ./nginx-release', 'pack a directory and send what the planner lacks'],
    ['upload-release nginx-1.21.6.tgz', 'a release tarball'],
  ],
  async run(context, [path = ''], options) {
    const client = await context.client()
    const uploaded = await uploadRelease(path, client, options)
    const { release, sent, warnings } = uploaded
    for (const warning of warnings) context.remark(`warning: ${describeFault(warning)}`)
    if (context.json) context.document({ release, sent, warnings })
    else {
      const what = `${count(release.jobs.length, 'job')}, ${count(packageNames(release).size, 'package')}`
      context.say(`Release ${release.name} ${release.version}: ${what}, ${count(sent, 'new archive')} sent.`)
    }
    return exit.done
  },
}

export default upload

/** Source and compiled together. */
export function packageNames(release: Release): Set<string> {
  return new Set([...release.packages, ...(release.compiledPackages ?? [])].map((one) => one.name))
}
