import { posix } from 'node:path'
import { longestSpec } from '../../../shared/release/yaml-text.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { readTree } from '../../../shared/source/tree.ts'
import type { RenderRequest } from '../rendering.ts'
import { readArchive } from './archive.ts'
import type { EngineFile } from './engine.ts'

/** A job ready for a thread: its templates read, their destinations and modes decided. */
export interface PreparedJob {
  /** Of content and templates map: what a thread remembers it by. */
  id: string
  name: string
  files: PreparedFile[]
  /** Names of properties that the job declares, for suggestions. */
  properties: string[]
  /** What is wrong with the job itself; it is not rendered then. */
  faults: string[]
}

export interface PreparedFile extends EngineFile {
  template: string
  destination: string
  mode: number
}

/**
 * Reads a job's archive (`job.MF`, `monit`, `templates/<source>`). Faults of the job (a template that the archive does
 * not hold, a destination outside of the job's directory) are kept, so that they are shown at the places that use it.
 * Throws `infrastructure` where the bytes are no archive.
 */
export async function prepareJob(id: string, job: RenderRequest['job'], archive: Buffer): Promise<PreparedJob> {
  const found = await readArchive(archive).catch((error: unknown) => {
    const details = { job: job.name, digest: job.digest, reason: toError(error).message }
    const why = error instanceof RemodelError ? (error.faults[0]?.message ?? '') : ''
    throw new RemodelError('infrastructure', `the archive of job ${job.name} cannot be read${why && `: ${why}`}`, {
      details,
      cause: error,
    })
  })
  const files: PreparedFile[] = []
  const faults: string[] = []
  for (const [template, given] of Object.entries(job.templates)) {
    const content = found.get(`templates/${template}`)?.content
    const destination = posix.normalize(given)
    if (content === undefined) faults.push(`template ${job.name}/${template} is not in the job's archive`)
    else if (posix.isAbsolute(destination) || destination.split('/').includes('..') || destination === '.')
      faults.push(`template ${job.name}/${template} would be written outside of the job's directory, to "${given}"`)
    else files.push(fileOf(job.name, template, destination, content))
  }
  const monit = found.get('monit')?.content
  if (monit) files.push(fileOf(job.name, 'monit', 'monit', monit))
  return { id, name: job.name, files, properties: declaredProperties(found.get('job.MF')?.content), faults }
}

function fileOf(job: string, template: string, destination: string, content: Buffer): PreparedFile {
  const mode = destination.startsWith('bin/') ? 0o755 : 0o640
  return { template, destination, mode, file: `${job}/${template}`, source: content.toString('base64') }
}

/**
 * Only for suggestions: what they are was read when the release was uploaded, by rules that refuse what this leaves
 * out.
 */
function declaredProperties(manifest: Buffer | undefined): string[] {
  if (manifest === undefined || manifest.length > longestSpec) return []
  const document = readTree(manifest.toString('utf8')).value
  const properties = (document as { properties?: unknown } | null | undefined)?.properties
  return properties && typeof properties === 'object' ? Object.keys(properties) : []
}
