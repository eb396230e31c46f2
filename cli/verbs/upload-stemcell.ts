import type { Stemcell } from '../../shared/release/release.ts'
import { readStemcell } from '../../shared/release/stemcell.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { localFile, ofPlace } from '../download.ts'
import { uploadBlob } from '../upload.ts'
import { exit, type Verb } from '../verb.ts'

interface Options {
  light?: boolean
  name?: string
  os?: string
  version?: string
}

const upload: Verb<Options> = {
  configure(command) {
    command
      .argument('[file]', 'stemcell in the format of BOSH: tarball, folder, or the URL of a tarball')
      .option('--light', 'without an image: what the provider has is used (needs --name, --os, --version)')
      .option('--name <name>', 'name of a light stemcell')
      .option('--os <os>', 'its operating system, as manifests name it')
      .option('--version <version>', 'its version')
  },
  examples: [
    ['upload-stemcell bosh-stemcell-1.2-warden-ubuntu-jammy.tgz', 'a stemcell of BOSH'],
    ['upload-stemcell --light --name host --os debian --version 12', "the local provider's own root"],
  ],
  async run(context, [file], options) {
    let stemcell: Stemcell
    if (options.light) stemcell = light(file, options)
    else {
      if (file === undefined)
        throw new RemodelError('invalid-input', 'name the stemcell file, or describe one with --light')
      await using fetched = await localFile(file)
      const local = await readStemcell(fetched.path).catch((error) => {
        throw ofPlace(error, fetched, file)
      })
      const image = local.openImage ? await uploadBlob(local.openImage(), await context.client()) : undefined
      stemcell = { ...local.stemcell, ...(image ? { digest: image.digest } : {}) }
    }
    const stored = await (await context.client()).addStemcell(stemcell)
    if (context.json) context.document(stored)
    else
      context.say(
        `Stemcell ${stored.name} ${stored.version} (${stored.os}${stored.digest ? '' : ', light'}) is stored.`,
      )
    return exit.done
  },
}

export default upload

function light(file: string | undefined, options: Options): Stemcell {
  const { name, os, version } = options
  if (file !== undefined)
    throw new RemodelError('invalid-input', '--light describes a stemcell that has no file: leave the file out')
  if (!name || !os || !version) throw new RemodelError('invalid-input', '--light needs --name, --os and --version')
  return { name, os, version }
}
