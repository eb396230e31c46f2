import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { RemodelError } from '../runtime/errors.ts'
import { type Address, withoutPassword } from './address.ts'
import { problemError } from './problem.ts'
import { type Call, readText, send } from './transport.ts'

const SECOND = 1000

/** Milliseconds within which the answer must have begun, by what the planner has to do for it. */
export const limits = {
  short: 30 * SECOND,
  /** Planning a large deployment renders templates and asks machines how they are. */
  planning: 300 * SECOND,
  uploading: 600 * SECOND,
  /** As long as it takes: statements and comparisons of a user's data. */
  hour: 3600 * SECOND,
} as const

/** Typed calls of one planner: answers are checked; a refusal is thrown as the `RemodelError` that it tells of. */
export class Calls {
  readonly address: Address

  constructor(address: Address) {
    this.address = address
  }

  get<Schema extends z.ZodType>(schema: Schema, path: string, timeoutMs: number = limits.short): Answer<Schema> {
    return this.ask(schema, { method: 'GET', path, timeoutMs })
  }

  post<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    body: unknown,
    timeoutMs: number = limits.short,
  ): Answer<Schema> {
    return this.ask(schema, { method: 'POST', path, ...json(body), timeoutMs })
  }

  delete<Schema extends z.ZodType>(schema: Schema, path: string): Answer<Schema> {
    return this.ask(schema, { method: 'DELETE', path, timeoutMs: limits.short })
  }

  async ask<Schema extends z.ZodType>(schema: Schema, call: Call): Answer<Schema> {
    return this.check(schema, await this.send(call), `${call.method} ${call.path}`)
  }

  /** The answer as text. */
  async send(call: Call): Promise<string> {
    return readText(await this.open(call))
  }

  /** The answer as it comes. */
  async open(call: Call): Promise<IncomingMessage> {
    const response = await send(this.address, call)
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    throw problemError(this.address, status, await readText(response))
  }

  check<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.infer<Schema> {
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

type Answer<Schema extends z.ZodType> = Promise<z.infer<Schema>>

export function json(body: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** `?a=1&b=2` of those that are given. */
export function query(values: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(values).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
  )
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))}`
}

/** The path of a deployment. */
export function of(deployment: string): string {
  return `/v1/deployments/${encodeURIComponent(deployment)}`
}

/** The path of an action of its kind. */
export function ofAction(deployment: string, action: string): string {
  return `${of(deployment)}/actions/${encodeURIComponent(action)}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
