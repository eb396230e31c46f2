import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Client } from '../../shared/api/client.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { gather } from '../arguments.ts'
import { unwritable } from '../files.ts'
import { exit, type Verb } from '../verb.ts'
import { count } from '../views/table.ts'
import { releaseId } from './inspect-release.ts'

interface Options {
  output: string
  job?: string[]
}

const exportRelease: Verb<Options> = {
  configure(command) {
    command
      .argument('<deployment|name/version>', 'a deployment that runs one release, or the release itself')
      .argument('<os/version>', 'the stemcell that its packages were compiled on')
      .requiredOption('-o, --output <file>', 'where to write the tarball')
      .option('--job <name>', 'this job and its packages only; may be given several times', gather)
  },
  examples: [
    ['export-release nginx/1.21.6 ubuntu-jammy/1.486 -o nginx.tgz', 'all jobs of a release, compiled'],
    ['export-release web ubuntu-jammy/1.486 -o web.tgz', 'what the deployment web runs of its release'],
  ],
  async run(context, [what = '', stemcell = ''], options) {
    if (!/^[^/]+\/.+$/.test(stemcell)) {
      throw new RemodelError(
        'invalid-input',
        `${stemcell} is not a stemcell: wanted OS/VERSION like ubuntu-jammy/1.486`,
      )
    }
    const client = await context.client()
    const { name, version, jobs } = await chosen(what, client, options.job ?? [])
    const exported = await client.exportRelease(name, version, stemcell, jobs)
    const bytes = await save(exported.content, options.output)
    const { jobs: jobCount, packages } = exported
    if (context.json) {
      context.document({ release: { name, version }, stemcell, file: options.output, bytes, jobs: jobCount, packages })
    } else {
      const held = `${count(jobCount, 'job')}, ${count(packages, 'package')} compiled for ${stemcell}`
      context.say(`Release ${name} ${version} is in ${options.output}: ${held}.`)
    }
    return exit.done
  },
}

export default exportRelease

async function chosen(what: string, client: Client, jobs: string[]) {
  if (what.includes('/')) {
    const [name, version] = releaseId(what)
    return { name, version, jobs }
  }
  const used = await client.usedReleases(what)
  const names = new Set(used.map((one) => one.name))
  const [newest] = used
  if (newest === undefined)
    throw new RemodelError('not-found', `no instance of ${what} runs a release that is still there`)
  if (names.size > 1) {
    const list = used.map((one) => `${one.name}/${one.version}`).join(', ')
    throw new RemodelError('invalid-input', `${what} runs several releases: name one of ${list}`)
  }
  return jobs.length > 0 ? { ...newest, jobs } : newest
}

/** The file is there whole or not at all. */
async function save(content: AsyncIterable<Uint8Array>, file: string): Promise<number> {
  const part = `${file}.${process.pid}.part`
  let bytes = 0
  try {
    await pipeline(
      content,
      async function* (source) {
        for await (const chunk of source) {
          bytes += chunk.length
          yield chunk
        }
      },
      createWriteStream(part),
    )
    await rename(part, file)
    return bytes
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : unwritable(file, error)
  } finally {
    await rm(part, { force: true })
  }
}
