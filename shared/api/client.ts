import type { Readable } from 'node:stream'
import { z } from 'zod'
import { Comparison } from '../../kinds/database/api/comparison.ts'
import { StatementOutcome } from '../../kinds/database/api/statements.ts'
import { Verdict } from '../model/verdict.ts'
import { RemodelError } from '../runtime/errors.ts'
import { type Address, withoutPassword } from './address.ts'
import { problemError } from './problem.ts'
import {
  type ApplyRequest,
  Backup,
  BoardKey,
  Check,
  type CheckRequest,
  Cleaned,
  type CleanRequest,
  Config,
  Deployment,
  Event,
  type ExecRequest,
  ExecResponse,
  Info,
  InspectedRelease,
  Instance,
  ListedRelease,
  Lock,
  LogsResponse,
  type PlanRequest,
  PlanStatus,
  PlanView,
  Release,
  type StatementsRequest,
  Stemcell,
  UsedRelease,
  Why,
} from './schema.ts'
import { readServerSentEvents } from './stream.ts'
import { type Call, readText, send } from './transport.ts'

const SECOND = 1000
const SHORT = 30 * SECOND
/** Planning a large deployment renders templates and asks machines how they are. */
const PLANNING = 300 * SECOND
const UPLOADING = 600 * SECOND

/** The planner's HTTP API, route by route. Answers are checked; a refusal is thrown as the `RemodelError` it tells of. */
export class Client {
  readonly address: Address

  constructor(address: Address) {
    this.address = address
  }

  info(timeoutMs = SHORT): Promise<Info> {
    return this.#ask(Info, { method: 'GET', path: '/v1/info', timeoutMs })
  }

  /** A path of the planner that lets a browser in to the board, once. */
  async boardKey(): Promise<string> {
    return (await this.#ask(BoardKey, { method: 'POST', path: '/v1/board-keys', timeoutMs: SHORT })).path
  }

  async hasBlob(digest: string): Promise<boolean> {
    const response = await send(this.address, {
      method: 'HEAD',
      path: `/v1/blobs/${encodeURIComponent(digest)}`,
      timeoutMs: SHORT,
    })
    response.resume()
    const status = response.statusCode ?? 0
    if (status === 404) return false
    if (status < 300) return true
    throw problemError(this.address, status, '')
  }

  /** Throws `conflict` where the bytes are not what the digest says. */
  async putBlob(digest: string, content: Uint8Array | Readable): Promise<void> {
    await this.#send({
      method: 'PUT',
      path: `/v1/blobs/${encodeURIComponent(digest)}`,
      headers: { 'content-type': 'application/octet-stream' },
      body: content,
      timeoutMs: UPLOADING,
    })
  }

  releases(): Promise<ListedRelease[]> {
    return this.#get(z.array(ListedRelease), '/v1/releases')
  }

  addRelease(release: Release): Promise<Release> {
    return this.#post(Release, '/v1/releases', release)
  }

  release(name: string, version: string): Promise<InspectedRelease> {
    return this.#get(InspectedRelease, ofRelease(name, version))
  }

  /** The releases that a deployment runs, of each name the newest first. */
  usedReleases(deployment: string): Promise<UsedRelease[]> {
    return this.#get(z.array(UsedRelease), `${of(deployment)}/releases`)
  }

  /** A compiled release tarball; `jobs` empty: all of them. Throws `conflict` naming what is not compiled. */
  async exportRelease(
    name: string,
    version: string,
    stemcell: string,
    jobs: readonly string[],
  ): Promise<{ content: Readable; jobs: number; packages: number }> {
    const only = jobs.length > 0 ? { jobs: jobs.join(',') } : {}
    const content = await this.#call({
      method: 'GET',
      path: `${ofRelease(name, version)}/export${query({ stemcell, ...only })}`,
      timeoutMs: SHORT,
    })
    const header = (what: string) => Number(content.headers[`x-remodel-${what}`] ?? 0)
    return { content, jobs: header('jobs'), packages: header('packages') }
  }

  stemcells(): Promise<Stemcell[]> {
    return this.#get(z.array(Stemcell), '/v1/stemcells')
  }

  addStemcell(stemcell: Stemcell): Promise<Stemcell> {
    return this.#post(Stemcell, '/v1/stemcells', stemcell)
  }

  configs(): Promise<Config[]> {
    return this.#get(z.array(Config), '/v1/configs')
  }

  /** Throws `not-found`. */
  config(type: Config['type'], name: string): Promise<Config> {
    return this.#get(Config, ofConfig(type, name))
  }

  async putConfig(type: Config['type'], name: string, content: string): Promise<void> {
    await this.#send({ method: 'PUT', path: ofConfig(type, name), ...json({ content }), timeoutMs: SHORT })
  }

  /** Throws `not-found`. */
  deleteConfig(type: Config['type'], name: string): Promise<Config> {
    return this.#ask(Config, { method: 'DELETE', path: ofConfig(type, name), timeoutMs: SHORT })
  }

  plan(request: PlanRequest): Promise<PlanView> {
    return this.#post(PlanView, '/v1/plans', request, PLANNING)
  }

  planRemoval(deployment: string, options: { skipDrain?: boolean } = {}): Promise<PlanView> {
    const query = options.skipDrain ? '?skip_drain=true' : ''
    return this.#post(PlanView, `${of(deployment)}/removal${query}`, {}, PLANNING)
  }

  /** The plan of an action of the deployment's kind: `back-up`, `promote` and `restart` of databases. */
  planAction(deployment: string, action: string, input: unknown): Promise<PlanView> {
    return this.#post(PlanView, `${of(deployment)}/actions/${encodeURIComponent(action)}`, input, PLANNING)
  }

  backups(deployment: string): Promise<Backup[]> {
    return this.#get(z.array(Backup), `${of(deployment)}/backups`)
  }

  /** Answers what was forgotten. */
  forgetBackups(deployment: string): Promise<Backup[]> {
    return this.#ask(z.array(Backup), { method: 'DELETE', path: `${of(deployment)}/backups`, timeoutMs: SHORT })
  }

  plans(filter: { deployment?: string; limit?: number } = {}): Promise<PlanStatus[]> {
    return this.#get(z.array(PlanStatus), `/v1/plans${query(filter)}`)
  }

  planView(id: string): Promise<PlanView> {
    return this.#get(PlanView, `/v1/plans/${encodeURIComponent(id)}`)
  }

  apply(id: string, request: ApplyRequest): Promise<PlanStatus> {
    const timeoutMs = (request.waitSeconds ?? 0) * SECOND + SHORT
    return this.#post(
      PlanStatus,
      `/v1/plans/${encodeURIComponent(id)}/apply`,
      { id: crypto.randomUUID(), ...request },
      timeoutMs,
    )
  }

  cancel(id: string): Promise<PlanStatus> {
    return this.#post(PlanStatus, `/v1/plans/${encodeURIComponent(id)}/cancel`, {})
  }

  approve(id: string, remodel: string, approve: boolean): Promise<PlanStatus> {
    return this.#post(PlanStatus, `/v1/plans/${encodeURIComponent(id)}/approvals`, {
      id: crypto.randomUUID(),
      remodel,
      approve,
    })
  }

  why(id: string, remodel: string): Promise<Why> {
    return this.#get(Why, `/v1/plans/${encodeURIComponent(id)}/why${query({ remodel })}`)
  }

  /** What is there now against what is recorded; asked again for up to `waitSeconds` while something deviates. */
  verdict(deployment: string, waitSeconds: number): Promise<Verdict> {
    return this.#get(Verdict, `${of(deployment)}/verdict${query({ waitSeconds })}`)
  }

  deployments(): Promise<Deployment[]> {
    return this.#get(z.array(Deployment), '/v1/deployments')
  }

  instances(deployment: string): Promise<Instance[]> {
    return this.#get(z.array(Instance), `${of(deployment)}/instances`)
  }

  /** As long as the statements take, up to an hour. */
  runStatements(deployment: string, request: z.input<typeof StatementsRequest>): Promise<StatementOutcome[]> {
    return this.#post(z.array(StatementOutcome), `${of(deployment)}/statements`, request, 3600 * SECOND)
  }

  /** All nodes of a database against each other; as long as that takes, up to an hour. */
  compareNodes(deployment: string): Promise<Comparison> {
    return this.#ask(Comparison, { method: 'GET', path: `${of(deployment)}/comparison`, timeoutMs: 3600 * SECOND })
  }

  exec(
    deployment: string,
    instance: string,
    request: z.input<typeof ExecRequest>,
  ): Promise<z.infer<typeof ExecResponse>> {
    const timeoutMs = (request.timeoutSeconds ?? 60) * SECOND + SHORT
    return this.#post(ExecResponse, `${of(deployment)}/instances/${instance}/exec`, request, timeoutMs)
  }

  /** The last lines, or what was written since the answer whose `next` is given as `after`. */
  logs(
    deployment: string,
    instance: string,
    from: { lines?: number; after?: string },
  ): Promise<z.infer<typeof LogsResponse>> {
    return this.#get(LogsResponse, `${of(deployment)}/instances/${instance}/logs${query(from)}`)
  }

  cleanUp(request: CleanRequest): Promise<Cleaned> {
    return this.#post(Cleaned, '/v1/clean-up', request, UPLOADING)
  }

  startCheck(request: CheckRequest): Promise<Check> {
    return this.#post(Check, '/v1/checks', request)
  }

  check(id: string): Promise<Check> {
    return this.#get(Check, `/v1/checks/${encodeURIComponent(id)}`)
  }

  locks(deployment?: string): Promise<Lock[]> {
    const query = deployment === undefined ? '' : `?deployment=${encodeURIComponent(deployment)}`
    return this.#get(z.array(Lock), `/v1/locks${query}`)
  }

  async unlock(id: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: `/v1/locks/${encodeURIComponent(id)}`, timeoutMs: SHORT })
  }

  /** What has happened, up to now. */
  events(deployment: string, filter: { after?: number; plan?: string } = {}): Promise<Event[]> {
    return this.#get(z.array(Event), `${of(deployment)}/events${query(filter)}`)
  }

  /** What has happened and what happens, until the connection ends; the caller resumes after the last `seq` it has seen. */
  async *stream(
    deployment: string,
    filter: { after?: number; plan?: string | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Event> {
    const response = await this.#call({
      method: 'GET',
      path: `${of(deployment)}/events${query({ ...filter, follow: true })}`,
      headers: {
        accept: 'text/event-stream',
        ...(filter.after === undefined ? {} : { 'last-event-id': String(filter.after) }),
      },
      timeoutMs: SHORT,
      signal,
    })
    for await (const data of readServerSentEvents(response)) yield this.#check(Event, data, 'the event stream')
  }

  #get<Schema extends z.ZodType>(schema: Schema, path: string): Promise<z.infer<Schema>> {
    return this.#ask(schema, { method: 'GET', path, timeoutMs: SHORT })
  }

  #post<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    body: unknown,
    timeoutMs = SHORT,
  ): Promise<z.infer<Schema>> {
    return this.#ask(schema, { method: 'POST', path, ...json(body), timeoutMs })
  }

  async #ask<Schema extends z.ZodType>(schema: Schema, call: Call): Promise<z.infer<Schema>> {
    return this.#check(schema, await this.#send(call), `${call.method} ${call.path}`)
  }

  async #send(call: Call): Promise<string> {
    return readText(await this.#call(call))
  }

  async #call(call: Call) {
    const response = await send(this.address, call)
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    throw problemError(this.address, status, await readText(response))
  }

  #check<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.infer<Schema> {
    const parsed = schema.safeParse(parseJson(text))
    if (parsed.success) return parsed.data
    throw new RemodelError(
      'unavailable',
      `what answers at ${withoutPassword(this.address.url)} is not a planner of this version (${what}): see \`remodel version\``,
      {
        details: {
          issues: parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
        },
      },
    )
  }
}

function of(deployment: string): string {
  return `/v1/deployments/${encodeURIComponent(deployment)}`
}

function ofRelease(name: string, version: string): string {
  return `/v1/releases/${encodeURIComponent(name)}/${encodeURIComponent(version)}`
}

function json(body: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

function query(values: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(values).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
  )
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function ofConfig(type: Config['type'], name: string): string {
  return `/v1/configs/${type}/${encodeURIComponent(name)}`
}
