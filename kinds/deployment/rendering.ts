import type { Fault } from '../../shared/runtime/errors.ts'

/** What the foreman asks of templates: same requests, same results. It is a function of content, cached by digest. */
export type Render = (requests: readonly RenderRequest[]) => Promise<readonly RenderResult[]>

export interface RenderRequest {
  /** Blob of the job's archive. */
  job: { name: string; digest: string; templates: Record<string, string> }
  /** What `p`, `link` and `spec` see. Canonical JSON of it and the job's digest are the key of the cache. */
  context: RenderContext
  /** Where a fault is to be shown. */
  place: { file?: string; line?: number; path?: string }
}

export interface RenderContext {
  /** Nested properties with defaults filled in. */
  properties: unknown
  /** Link name -> what it resolved to; a missing optional link is absent. */
  links: Record<string, RenderLink>
  spec: {
    name: string
    index: number
    id: string
    az: string | null
    bootstrap: boolean
    deployment: string
    address: string
    ip: string
    networks: Record<string, { ip: string; default: string[]; dns_record_name: string }>
    persistent_disk: number
    job: { name: string }
    release: { name: string; version: string }
  }
}

export interface RenderLink {
  /** Name for the whole group. */
  address: string
  properties: unknown
  instances: { name: string; index: number; id: string; az: string | null; bootstrap: boolean; address: string }[]
}

/** What the monit files of a rendered job come to. */
export interface Supervision {
  processes: readonly { name: string; pidfile: string }[]
  /** What they say that has no effect here, each with its line. */
  idle: readonly string[]
}

export type RenderResult = { digest: string; supervision?: Supervision } | { fault: Fault }
