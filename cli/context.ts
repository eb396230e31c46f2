import { type Address, findHome, findPlanner } from '../shared/api/address.ts'
import type { Client } from '../shared/api/client.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { createStyle, type Style, visible } from './views/style.ts'
import { columnsOf, wrapped } from './views/wrap.ts'

/** Options that every verb takes, as commander hands them over. */
export interface GlobalOptions {
  json?: boolean
  planner?: string
  home?: string
  verbose?: boolean
  color?: boolean
}

/** What a verb is given: where to write, how, and whom to ask. */
export interface Context {
  readonly json: boolean
  readonly verbose: boolean
  /** Folder of `up`. */
  readonly home: string
  readonly style: Style
  /** True where a person sits at both ends. */
  readonly interactive: boolean
  /** Writes one line for people, wrapped at words where the terminal is narrower; nothing with `--json`. */
  say(line?: string): void
  /** Writes text for people as it is: what is copied or read by other programs is not wrapped. */
  raw(text: string): void
  /** Writes one line for people beside the result: to stderr; nothing with `--json`. */
  remark(line: string): void
  /** Writes one JSON document, or one line of a stream of them. */
  document(value: unknown): void
  line(value: unknown): void
  address(): Address
  client(): Promise<Client>
}

export function createContext(options: GlobalOptions): Context {
  const json = options.json === true
  const home = findHome(options.home)
  let client: Promise<Client> | undefined
  const context: Context = {
    json,
    verbose: options.verbose === true,
    home,
    style: createStyle(
      options.color !== false && process.stdout.isTTY === true && !process.env.NO_COLOR && !json,
      columnsOf(process.stdout),
    ),
    interactive: !json && process.stdin.isTTY === true && process.stdout.isTTY === true,
    say(line = '') {
      if (!json) process.stdout.write(wrapped(visible(line, context.style.enabled), process.stdout))
    },
    raw(text) {
      if (!json) process.stdout.write(`${visible(text, context.style.enabled)}\n`)
    },
    remark(line) {
      if (!json) process.stderr.write(wrapped(visible(line, context.style.enabled), process.stderr))
    },
    document(value) {
      process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
    },
    line(value) {
      process.stdout.write(`${JSON.stringify(value)}\n`)
    },
    address: () => ({
      ...refuseOther(findPlanner(options.planner, home), options.home || process.env.REMODEL_HOME),
      client: 'cli',
    }),
    client: () => {
      client ??= import('../shared/api/client.ts').then((module) => new module.Client(context.address()))
      return client
    },
  }
  return context
}

/** A home that was named and has no planner is not that of the planner which happens to listen at the usual port. */
function refuseOther(address: Address, named: string | undefined): Address {
  if (address.source !== 'default' || !named) return address
  throw new RemodelError(
    'unavailable',
    `no planner runs in ${named}: start one with \`remodel up --home ${named}\`, or name another with --planner URL`,
  )
}
