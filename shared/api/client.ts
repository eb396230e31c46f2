import type { Readable } from 'node:stream'
import { z } from 'zod'
import { Healing, type HealingMode } from '../model/healing.ts'
import { Verdict } from '../model/verdict.ts'
import { Release, Stemcell } from '../release/release.ts'
import type { Address } from './address.ts'
import { Calls, json, limits, of, ofAction, query } from './calls.ts'
import { problemError } from './problem.ts'
import { BoardKey } from './schemas/board.ts'
import { Check, type CheckRequest } from './schemas/check.ts'
import { Cleaned, type CleanRequest } from './schemas/cleaning.ts'
import { Config } from './schemas/config.ts'
import { Deployment, Lock } from './schemas/deployment.ts'
import { Event, type EventFilter } from './schemas/event.ts'
import { Info } from './schemas/info.ts'
import { type ExecRequest, ExecResponse, Instance, LogsResponse } from './schemas/instance.ts'
import { KeptOrder, OrderVersion } from './schemas/order.ts'
import { type ApplyRequest, type PlanRequest, PlanStatus, PlanView, Why } from './schemas/plan.ts'
import { InspectedRelease, ListedRelease, UsedRelease } from './schemas/release.ts'
import { readServerSentEvents } from './stream.ts'
import { send } from './transport.ts'

/** With the fields that its kind adds. */
const AnyInstance = Instance.loose()

/**
 * The planner's HTTP API, route by route. Answers are checked; a refusal is thrown as the `RemodelError` it tells of.
 */
export class Client {
  /** The client of a kind's own routes makes its calls by it too. */
  readonly calls: Calls

  constructor(address: Address) {
    this.calls = new Calls(address)
  }

  get address(): Address {
    return this.calls.address
  }

  info(timeoutMs = limits.short): Promise<Info> {
    return this.calls.ask(Info, { method: 'GET', path: '/v1/info', timeoutMs })
  }

  /** A path of the planner that lets a browser in to the board, once. */
  async boardKey(): Promise<string> {
    return (await this.calls.ask(BoardKey, { method: 'POST', path: '/v1/board-keys', timeoutMs: limits.short })).path
  }

  async hasBlob(digest: string): Promise<boolean> {
    const response = await send(this.address, {
      method: 'HEAD',
      path: `/v1/blobs/${encodeURIComponent(digest)}`,
      timeoutMs: limits.short,
    })
    response.resume()
    const status = response.statusCode ?? 0
    if (status === 404) return false
    if (status < 300) return true
    throw problemError(this.address, status, '')
  }

  /** Throws `conflict` where the bytes are not what the digest says. */
  async putBlob(digest: string, content: Uint8Array | Readable): Promise<void> {
    await this.calls.send({
      method: 'PUT',
      path: `/v1/blobs/${encodeURIComponent(digest)}`,
      headers: { 'content-type': 'application/octet-stream' },
      body: content,
      timeoutMs: limits.uploading,
    })
  }

  releases(): Promise<ListedRelease[]> {
    return this.calls.get(z.array(ListedRelease), '/v1/releases')
  }

  addRelease(release: Release): Promise<Release> {
    return this.calls.post(Release, '/v1/releases', release)
  }

  release(name: string, version: string): Promise<InspectedRelease> {
    return this.calls.get(InspectedRelease, ofRelease(name, version))
  }

  /** The releases that a deployment runs, of each name the newest first. */
  usedReleases(deployment: string): Promise<UsedRelease[]> {
    return this.calls.get(z.array(UsedRelease), `${of(deployment)}/releases`)
  }

  /** A compiled release tarball; `jobs` empty: all of them. Throws `conflict` naming what is not compiled. */
  async exportRelease(
    name: string,
    version: string,
    stemcell: string,
    jobs: readonly string[],
  ): Promise<{ content: Readable; jobs: number; packages: number }> {
    const only = jobs.length > 0 ? { jobs: jobs.join(',') } : {}
    const content = await this.calls.open({
      method: 'GET',
      path: `${ofRelease(name, version)}/export${query({ stemcell, ...only })}`,
      timeoutMs: limits.short,
    })
    const header = (what: string) => Number(content.headers[`x-remodel-${what}`] ?? 0)
    return { content, jobs: header('jobs'), packages: header('packages') }
  }

  stemcells(): Promise<Stemcell[]> {
    return this.calls.get(z.array(Stemcell), '/v1/stemcells')
  }

  addStemcell(stemcell: Stemcell): Promise<Stemcell> {
    return this.calls.post(Stemcell, '/v1/stemcells', stemcell)
  }

  configs(): Promise<Config[]> {
    return this.calls.get(z.array(Config), '/v1/configs')
  }

  /** Throws `not-found`. */
  config(type: Config['type'], name: string): Promise<Config> {
    return this.calls.get(Config, ofConfig(type, name))
  }

  async putConfig(type: Config['type'], name: string, content: string): Promise<void> {
    await this.calls.send({ method: 'PUT', path: ofConfig(type, name), ...json({ content }), timeoutMs: limits.short })
  }

  /** Throws `not-found`. */
  deleteConfig(type: Config['type'], name: string): Promise<Config> {
    return this.calls.ask(Config, { method: 'DELETE', path: ofConfig(type, name), timeoutMs: limits.short })
  }

  plan(request: PlanRequest): Promise<PlanView> {
    return this.calls.post(PlanView, '/v1/plans', request, limits.planning)
  }

  planRemoval(deployment: string, options: { skipDrain?: boolean } = {}): Promise<PlanView> {
    const query = options.skipDrain ? '?skip_drain=true' : ''
    return this.calls.post(PlanView, `${of(deployment)}/removal${query}`, {}, limits.planning)
  }

  /** The orders that a deployment was deployed by, the newest first. */
  orders(deployment: string): Promise<OrderVersion[]> {
    return this.calls.get(z.array(OrderVersion), `${of(deployment)}/orders`)
  }

  /** One of them with its documents; the newest, if left out. Throws `not-found`. */
  order(deployment: string, version?: number): Promise<KeptOrder> {
    return this.calls.get(KeptOrder, `${of(deployment)}/orders/${version ?? 'latest'}`)
  }

  /** The plan for an earlier order of a deployment. */
  planRollback(deployment: string, request: { to?: number; options?: PlanRequest['options'] } = {}): Promise<PlanView> {
    return this.calls.post(PlanView, `${of(deployment)}/rollback`, request, limits.planning)
  }

  /** The plan of an action of the deployment's kind. */
  planAction(deployment: string, action: string, input: unknown): Promise<PlanView> {
    return this.calls.post(PlanView, ofAction(deployment, action), input, limits.planning)
  }

  plans(filter: { deployment?: string; limit?: number } = {}): Promise<PlanStatus[]> {
    return this.calls.get(z.array(PlanStatus), `/v1/plans${query(filter)}`)
  }

  planView(id: string): Promise<PlanView> {
    return this.calls.get(PlanView, `/v1/plans/${encodeURIComponent(id)}`)
  }

  apply(id: string, request: ApplyRequest): Promise<PlanStatus> {
    const timeoutMs = (request.waitSeconds ?? 0) * 1000 + limits.short
    return this.calls.post(
      PlanStatus,
      `/v1/plans/${encodeURIComponent(id)}/apply`,
      { id: crypto.randomUUID(), ...request },
      timeoutMs,
    )
  }

  cancel(id: string): Promise<PlanStatus> {
    return this.calls.post(PlanStatus, `/v1/plans/${encodeURIComponent(id)}/cancel`, {})
  }

  approve(id: string, remodel: string, approve: boolean): Promise<PlanStatus> {
    return this.calls.post(PlanStatus, `/v1/plans/${encodeURIComponent(id)}/approvals`, {
      id: crypto.randomUUID(),
      remodel,
      approve,
    })
  }

  why(id: string, remodel: string): Promise<Why> {
    return this.calls.get(Why, `/v1/plans/${encodeURIComponent(id)}/why${query({ remodel })}`)
  }

  /** What is there now against what is recorded; asked again for up to `waitSeconds` while something deviates. */
  verdict(deployment: string, waitSeconds: number): Promise<Verdict> {
    return this.calls.get(Verdict, `${of(deployment)}/verdict${query({ waitSeconds })}`)
  }

  deployments(): Promise<Deployment[]> {
    return this.calls.get(z.array(Deployment), '/v1/deployments')
  }

  /** Throws `not-found`. */
  deployment(name: string): Promise<Deployment> {
    return this.calls.get(Deployment, of(name))
  }

  /** Whether it is mended between deploys, and what was. */
  healing(deployment: string): Promise<Healing> {
    return this.calls.get(Healing, `${of(deployment)}/healing`)
  }

  /** Throws `conflict` where nothing of its kind is mended. */
  heal(deployment: string, request: { mode: HealingMode; message: string }): Promise<Healing> {
    const call = {
      method: 'PUT',
      path: `${of(deployment)}/healing`,
      ...json(request),
      timeoutMs: limits.short,
    } as const
    return this.calls.ask(Healing, call)
  }

  instances(deployment: string): Promise<Instance[]> {
    return this.calls.get(z.array(AnyInstance), `${of(deployment)}/instances`)
  }

  exec(
    deployment: string,
    instance: string,
    request: z.input<typeof ExecRequest>,
  ): Promise<z.infer<typeof ExecResponse>> {
    const timeoutMs = (request.timeoutSeconds ?? 60) * 1000 + limits.short
    return this.calls.post(ExecResponse, `${of(deployment)}/instances/${instance}/exec`, request, timeoutMs)
  }

  /** The last lines, or what was written since the answer whose `next` is given as `after`. */
  logs(
    deployment: string,
    instance: string,
    from: { lines?: number; after?: string },
  ): Promise<z.infer<typeof LogsResponse>> {
    return this.calls.get(LogsResponse, `${of(deployment)}/instances/${instance}/logs${query(from)}`)
  }

  cleanUp(request: CleanRequest): Promise<Cleaned> {
    return this.calls.post(Cleaned, '/v1/clean-up', request, limits.uploading)
  }

  startCheck(request: CheckRequest): Promise<Check> {
    return this.calls.post(Check, '/v1/checks', request)
  }

  check(id: string): Promise<Check> {
    return this.calls.get(Check, `/v1/checks/${encodeURIComponent(id)}`)
  }

  locks(deployment?: string): Promise<Lock[]> {
    const query = deployment === undefined ? '' : `?deployment=${encodeURIComponent(deployment)}`
    return this.calls.get(z.array(Lock), `/v1/locks${query}`)
  }

  async unlock(id: string): Promise<void> {
    await this.calls.send({ method: 'DELETE', path: `/v1/locks/${encodeURIComponent(id)}`, timeoutMs: limits.short })
  }

  /** What has happened, up to now. */
  events(deployment: string, filter: { after?: number } & EventFilter = {}): Promise<Event[]> {
    return this.calls.get(z.array(Event), `${of(deployment)}/events${query(filter)}`)
  }

  /**
   * What has happened and what happens, until the connection ends; the caller resumes after the last `seq` it has seen.
   */
  async *stream(
    deployment: string,
    filter: { after?: number } & EventFilter,
    signal: AbortSignal,
  ): AsyncGenerator<Event> {
    const response = await this.calls.open({
      method: 'GET',
      path: `${of(deployment)}/events${query({ ...filter, follow: true })}`,
      headers: {
        accept: 'text/event-stream',
        ...(filter.after === undefined ? {} : { 'last-event-id': String(filter.after) }),
      },
      timeoutMs: limits.short,
      signal,
    })
    for await (const data of readServerSentEvents(response)) yield this.calls.check(Event, data, 'the event stream')
  }
}

function ofRelease(name: string, version: string): string {
  return `/v1/releases/${encodeURIComponent(name)}/${encodeURIComponent(version)}`
}

function ofConfig(type: Config['type'], name: string): string {
  return `/v1/configs/${type}/${encodeURIComponent(name)}`
}
