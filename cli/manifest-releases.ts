import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '../shared/api/client.ts'
import { describeFault, type Fault, RemodelError } from '../shared/runtime/errors.ts'
import { invalidInput, type Path, SourceDocument } from '../shared/source/document.ts'
import type { Context } from './context.ts'
import { isWebAddress } from './download.ts'
import type { UploadOptions } from './upload.ts'
import { plain } from './views/style.ts'

/** A release that a manifest brings along as files of the user's. */
export interface LocalReleaseEntry {
  name: string | undefined
  /** The version to upload it as; undefined where it follows from the content. */
  version: string | undefined
  path: string
}

export interface UploadedVersion {
  name: string
  version: string
}

/**
 * Uploads the releases that a manifest brings along (`url: file:DIR`) or names the address of, and answers with what
 * they are in the catalog.
 */
export async function uploadManifestReleases(
  manifest: { name: string; content: string },
  client: Client,
  context: Context,
): Promise<UploadedVersion[]> {
  const document = documentOf(manifest)
  if (document === undefined) return []
  const local = entriesOf(document, manifest.name)
  const fromWeb = await missing(webEntriesOf(document), client)
  const versions: UploadedVersion[] = []
  for (const { index, path, ...entry } of [...local, ...fromWeb]) {
    const { uploadRelease } = await import('./upload.ts')
    const uploaded = await uploadRelease(path, client, definedOf(entry)).catch((error) => {
      throw placed(error, document, index)
    })
    const { name, version } = uploaded.release
    for (const warning of uploaded.warnings) context.remark(`warning: ${plain(describeFault(warning))}`)
    if (uploaded.sent > 0) context.remark(`Uploaded release ${name} ${version} (${uploaded.sent} new archives).`)
    versions.push({ name, version })
  }
  return versions
}

/**
 * The releases of a manifest with a `file:` url, paths relative to the manifest. `create` and `latest` leave the
 * version to the content. Anything else that is wrong with the manifest is the planner's to say; throws `invalid-input`
 * only for what cannot be uploaded.
 */
export function localReleases(manifest: { name: string; content: string }): LocalReleaseEntry[] {
  const document = documentOf(manifest)
  if (document === undefined) return []
  return entriesOf(document, manifest.name).map(({ name, version, path }) => ({ name, version, path }))
}

/** Most manifests name no files and no addresses: the parser is spared then. */
function documentOf({ name, content }: { name: string; content: string }): SourceDocument | undefined {
  return /\bfile:|\bcreate\b|\bhttps?:/.test(content) ? new SourceDocument(name, content) : undefined
}

interface Entry extends LocalReleaseEntry {
  index: number
  digest?: string | undefined
}

function fieldsOf(document: SourceDocument): Record<'url' | 'version' | 'name' | 'sha1', string | undefined>[] {
  const releases = field(document.value, 'releases')
  if (!Array.isArray(releases)) return []
  return releases.map((_, index) => {
    const of = (key: string) => document.textAt(['releases', index, key])
    return { url: of('url'), version: of('version'), name: of('name'), sha1: of('sha1') }
  })
}

function entriesOf(document: SourceDocument, manifest: string): Entry[] {
  const faults: Fault[] = []
  const entries = fieldsOf(document).flatMap(({ url, version, name }, index): Entry[] => {
    if (!url?.startsWith('file:')) {
      if (version === 'create') {
        const at: Path = ['releases', index, 'version']
        const allowed = 'a url: file:DIR beside it'
        faults.push(document.fault(at, 'a release can only be created from files', { allowed }))
      }
      return []
    }
    const given = version === 'create' || version === 'latest' ? undefined : version
    return [{ index, name, version: given, path: pathOf(url, manifest) }]
  })
  if (faults.length > 0) throw invalidInput(faults)
  return entries
}

/** Releases with an address on the web. `latest` of one means what was uploaded, as an address has one version only. */
function webEntriesOf(document: SourceDocument): Entry[] {
  return fieldsOf(document).flatMap(({ url, version, name, sha1 }, index): Entry[] =>
    url !== undefined && isWebAddress(url) && version !== 'create' && version !== 'latest'
      ? [{ index, name, version, path: url, digest: sha1 }]
      : [],
  )
}

async function missing(entries: readonly Entry[], client: Client): Promise<Entry[]> {
  if (entries.length === 0) return []
  const known = await client.releases()
  return entries.filter(({ name, version }) => !known.some((one) => one.name === name && one.version === version))
}

function definedOf({ name, version, digest }: Omit<Entry, 'index' | 'path'>): UploadOptions {
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/**
 * A refusal that names no file of its own is the manifest's: at the name where another release is
 * there, else at the url.
 */
function placed(error: unknown, document: SourceDocument, index: number): unknown {
  if (!(error instanceof RemodelError) || error.faults.length > 0) return error
  if (error.code !== 'invalid-input') return error
  const key = 'release' in error.details ? 'name' : 'url'
  return invalidInput([document.fault(['releases', index, key], error.message)])
}

/**
 * `file:DIR` and `file://DIR` are relative to the manifest, as BOSH has it; `file:///DIR` and `file:/DIR` are absolute.
 */
function pathOf(url: string, manifest: string): string {
  if (url.startsWith('file:///')) return fileURLToPath(url)
  const path = url.slice('file:'.length).replace(/^\/\/(?=[^/])/, '')
  return resolve(manifest === '<stdin>' ? '.' : dirname(manifest), path)
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
