import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { RemodelError, toError } from '../../runtime/errors.ts'
import { checkId } from './names.ts'

const run = promisify(execFile)

/** A stemcell to import: `digest` is that of its image, where it is known. */
interface LocalStemcell {
  name: string
  version: string
  digest?: string
  image?: string
}

/**
 * Where a stemcell lies below the provider's directory. Name and version are for the eyes of people; what keeps two
 * stemcells apart is the digest of all that makes one.
 */
function cloudId({ name, version, digest, image }: LocalStemcell): string {
  const whole = createHash('sha256')
    .update(JSON.stringify([name, version, digest ?? null]))
    .digest('hex')
  const shown = `${name}-${version}`.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 50)
  return `${image === undefined ? 'light' : 'root'}-${shown}-${whole.slice(0, 16)}`
}

/**
 * Makes `stemcells/<id>` once: unpacked beside it and renamed, so that a half-unpacked root never has the name. Of two
 * that import at the same time one wins and the other takes what is there.
 */
export async function importStemcell(directory: string, stemcell: LocalStemcell): Promise<string> {
  const { name, version, image } = stemcell
  const id = cloudId(stemcell)
  checkId('stemcell', id)
  const place = join(directory, 'stemcells', id)
  if (await exists(join(place, 'stemcell.json'))) return id
  const fresh = join(directory, 'tmp', `stemcell-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(join(fresh, 'root'), { recursive: true })
    if (image !== undefined) await unpack(resolve(image), join(fresh, 'root'))
    await writeFile(join(fresh, 'stemcell.json'), JSON.stringify({ id, name, version, light: image === undefined }))
    await rename(fresh, place)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (!(await exists(join(place, 'stemcell.json')))) throw error
  }
  return id
}

async function unpack(image: string, root: string): Promise<void> {
  const is = await stat(image).catch((cause) => {
    throw new RemodelError('not-found', `there is no stemcell image ${image}`, { cause })
  })
  // Device files cannot be made by an ordinary user, and a VM has its own /dev anyway.
  const reading = is.isDirectory() ? ['-c', '-C', image, '.'] : undefined
  const options = ['-x', '-C', root, '--exclude=./dev/*', '--exclude=dev/*', '-p']
  if (process.getuid?.() !== 0) options.push('--no-same-owner')
  try {
    if (reading)
      await run('/bin/sh', ['-c', 'src=$1; shift; tar -c -C "$src" . | tar "$@" -f -', 'sh', image, ...options])
    else await run('tar', [...options, '-f', image])
  } catch (cause) {
    throw new RemodelError(
      'invalid-input',
      `the stemcell image ${image} cannot be unpacked: ${toError(cause).message}`,
      {
        cause,
      },
    )
  }
}

/** Where the lower layer of a VM is: `/`, or a path below the provider's directory. Throws `not-found`. */
export async function stemcellRoot(directory: string, id: string): Promise<string> {
  checkId('stemcell', id)
  const json = await readFile(join(directory, 'stemcells', id, 'stemcell.json'), 'utf8').catch((cause) => {
    throw new RemodelError('not-found', `there is no stemcell ${id}: import it first`, { cause })
  })
  return (JSON.parse(json) as { light: boolean }).light ? '/' : `stemcells/${id}/root`
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
