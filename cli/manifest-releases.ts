import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeFault, type Fault } from '../shared/errors.ts'
import { invalidInput, type Path, SourceDocument } from '../shared/source/document.ts'
import type { Client } from './client.ts'
import type { Context } from './context.ts'
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

/** Uploads the releases that a manifest brings along (`url: file:DIR`), and answers with what they are in the catalog. */
export async function uploadManifestReleases(
  manifest: { name: string; content: string },
  client: Client,
  context: Context,
): Promise<UploadedVersion[]> {
  const entries = localReleases(manifest)
  if (entries.length === 0) return []
  const { uploadRelease } = await import('./upload.ts')
  const versions: UploadedVersion[] = []
  for (const entry of entries) {
    const uploaded = await uploadRelease(
      entry.path,
      client,
      entry.version === undefined ? {} : { version: entry.version },
    )
    const { name, version } = uploaded.release
    for (const warning of uploaded.warnings) context.remark(`warning: ${plain(describeFault(warning))}`)
    if (uploaded.sent > 0) context.remark(`Uploaded release ${name} ${version} (${uploaded.sent} new archives).`)
    versions.push({ name, version })
  }
  return versions
}

/**
 * The releases of a manifest with a `file:` url, paths relative to the manifest. `create` and `latest` leave the version to the
 * content. Anything else that is wrong with the manifest is the planner's to say; throws `invalid-input` only for what
 * cannot be uploaded.
 */
export function localReleases(manifest: { name: string; content: string }): LocalReleaseEntry[] {
  // Most manifests name no files: the parser is spared then.
  if (!/\bfile:|\bcreate\b/.test(manifest.content)) return []
  const document = new SourceDocument(manifest.name, manifest.content)
  const releases = field(document.value, 'releases')
  if (!Array.isArray(releases)) return []
  const faults: Fault[] = []
  const entries = releases.flatMap((_, index): LocalReleaseEntry[] => {
    const at: Path = ['releases', index]
    const [url, version, name] = ['url', 'version', 'name'].map((key) => document.textAt([...at, key]))
    if (!url?.startsWith('file:')) {
      if (version === 'create') {
        faults.push(
          document.fault([...at, 'version'], 'a release can only be created from files', {
            allowed: 'a url: file:DIR beside it',
          }),
        )
      }
      return []
    }
    const given = version === 'create' || version === 'latest' ? undefined : version
    return [{ name, version: given, path: pathOf(url, manifest.name) }]
  })
  if (faults.length > 0) throw invalidInput(faults)
  return entries
}

/** `file:DIR` and `file://DIR` are relative to the manifest, as BOSH has it; `file:///DIR` and `file:/DIR` are absolute. */
function pathOf(url: string, manifest: string): string {
  if (url.startsWith('file:///')) return fileURLToPath(url)
  const path = url.slice('file:'.length).replace(/^\/\/(?=[^/])/, '')
  return resolve(manifest === '<stdin>' ? '.' : dirname(manifest), path)
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
