import { stringify } from 'yaml'
import { pack } from '../../../../kinds/deployment/render/bundle.ts'
import type { RenderContext, RenderRequest } from '../../../../kinds/deployment/rendering.ts'
import type { Blobstore } from '../../../../shared/blobstore/blobstore.ts'

export interface JobText {
  name?: string
  /** Template -> text; its destination is `config/<template>` where `to` names none. */
  templates: Record<string, string>
  to?: Record<string, string>
  monit?: string
  properties?: string[]
}

/** Puts a job's archive into the store. */
export async function putJob(blobs: Blobstore, text: JobText): Promise<RenderRequest['job']> {
  const name = text.name ?? 'web'
  const templates = Object.fromEntries(
    Object.keys(text.templates).map((source) => [
      source,
      text.to?.[source] ?? `config/${source.replace(/\.erb$/, '')}`,
    ]),
  )
  const manifest = stringify({
    name,
    templates,
    properties: Object.fromEntries((text.properties ?? []).map((key) => [key, {}])),
  })
  const files = {
    'job.MF': manifest,
    ...(text.monit === undefined ? {} : { monit: text.monit }),
    ...Object.fromEntries(Object.entries(text.templates).map(([source, body]) => [`templates/${source}`, body])),
  }
  const archive = pack(Object.entries(files).map(([path, body]) => ({ path, mode: 0o644, content: Buffer.from(body) })))
  const { digest } = await blobs.put(archive.content)
  return { name, digest, templates }
}

export function contextOf(properties: unknown, more: Partial<RenderContext> = {}): RenderContext {
  return {
    properties,
    links: {},
    spec: {
      name: 'web',
      index: 0,
      id: '3f2b6c1e-aa10-4b5e-9f0c-7a1d2e3f4a5b',
      az: 'z1',
      bootstrap: true,
      deployment: 'shop',
      address: '10.0.1.11',
      ip: '10.0.1.11',
      networks: {
        private: { ip: '10.0.1.11', default: ['dns', 'gateway'], dns_record_name: '0.web.private.shop.bosh' },
      },
      persistent_disk: 0,
      job: { name: 'web' },
      release: { name: 'shop', version: '7.2.0' },
    },
    ...more,
  }
}
