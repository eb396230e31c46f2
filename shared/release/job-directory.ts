import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../runtime/errors.ts'
import { invalidInput, type SourceDocument, suggest } from '../source/document.ts'
import { fingerprint } from './fingerprint.ts'
import type { LocalJob } from './local-release.ts'
import type { SourceFile, SourceTree } from './source-tree.ts'
import { JobSpec, misspeltKeys, readJobSpec } from './spec.ts'
import { readSpecFile } from './yaml-text.ts'

export interface ReadJob {
  job: LocalJob
  document: SourceDocument
  warnings: Fault[]
}

const KNOWN = [...Object.keys(JobSpec.shape), 'description']

/**
 * Reads `jobs/<folder>`. Throws `invalid-input` with every fault of the job. Rules: bosh-cli
 * `release/job/dir_reader.go`.
 */
export async function readJobDirectory(directory: string, folder: string, tree: SourceTree): Promise<ReadJob> {
  const below = join('jobs', folder)
  const root = join(directory, below)
  const file = join(root, 'spec')
  if (!existsSync(file)) throw invalidInput([{ file, message: `${join(below, 'spec')} does not exist` }])
  const document = await readSpecFile(file)
  const facts = readJobSpec(document)
  const faults: Fault[] = []
  if (facts.name !== folder) {
    faults.push(
      document.fault(['name'], 'the name of a job is the name of its folder', { found: facts.name, allowed: folder }),
    )
  }
  const files: SourceFile[] = [await tree.readFollowed('job.MF', file)]
  for (const name of ['monit', 'properties_schema.json']) {
    if (existsSync(join(root, name))) files.push(await tree.readFollowed(name, join(root, name)))
  }
  const templates = new Map<string, SourceFile>()
  for (const template of Object.keys(facts.templates)) {
    const fault = (message: string, more: Partial<Fault> = {}) =>
      faults.push(document.fault(['templates', template], message, more))
    const path = join('templates', template)
    if (!path.startsWith('templates/')) {
      fault('a template lies below the templates folder of its job', { found: template })
      continue
    }
    const state = await stat(join(root, path)).catch(() => null)
    if (state === null) {
      const allowed = await templateNames(join(root, 'templates'))
      fault(`template ${join(below, path)} does not exist`, {
        found: template,
        ...(allowed.length > 0 ? { allowed: allowed.join(', ') } : {}),
        ...suggest(template, allowed),
      })
    } else if (!state.isFile()) fault(`template ${join(below, path)} is not a file`, { found: template })
    else templates.set(path, await tree.readFollowed(path, join(root, path)))
  }
  if (faults.length > 0) throw invalidInput(faults)
  files.push(...templates.values())
  const job = { ...facts, fingerprint: fingerprint(files), files }
  return { job, document, warnings: misspeltKeys(document, KNOWN) }
}

async function templateNames(root: string): Promise<string[]> {
  if (!existsSync(root)) return []
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort()
}
