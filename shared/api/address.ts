import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { RemodelError } from '../runtime/errors.ts'
import { isLoopback } from '../runtime/loopback.ts'
import { plannerSocket } from '../runtime/planner-socket.ts'
import { readHomeToken } from '../runtime/token.ts'

/** Where the planner is, and where its Redis is as far as this machine knows. */
export interface Address {
  url: string
  /** Where the address came from, for the sentence when there is no answer. */
  source: 'option' | 'environment' | 'up' | 'default'
  redis: string | undefined
  /** The planner's socket, where it is of this user and this computer; it needs no token. */
  socket?: string | undefined
  /** What a planner asks of callers over TCP; else REMODEL_TOKEN. */
  token?: string | undefined
  /** The program that asks, where it is the command: it is recorded with what it asks for. */
  client?: 'cli' | undefined
}

const DEFAULT_PLANNER = 'http://127.0.0.1:7070'

/** Folder of `up`: the option, $REMODEL_HOME, ~/.remodel. */
export function findHome(option?: string): string {
  return resolve(option || process.env.REMODEL_HOME || join(homedir(), '.remodel'))
}

/**
 * The planner's address: the option, $REMODEL_URL (or $REMODEL_PLANNER, its older name), the socket of the home, what
 * `up` wrote, the default. The token of the home is shown to this computer only.
 */
export function findPlanner(option: string | undefined, home: string): Address {
  const up = readJson(home, 'up.json')
  const redis = up('redis') ?? process.env.REDIS_URL
  const over = (url: string) => {
    const token = isLoopback(new URL(url).hostname) ? readHomeToken(home) : undefined
    return { url, redis, ...(token === undefined ? {} : { token }) }
  }
  if (option) return { ...over(checked(option, '--planner')), source: 'option' }
  for (const [name, environment] of [
    ['$REMODEL_URL', process.env.REMODEL_URL],
    ['$REMODEL_PLANNER', process.env.REMODEL_PLANNER],
  ]) {
    if (environment) return { ...over(checked(environment, `${name}`)), source: 'environment' }
  }
  const written = up('planner') ?? readJson(home, 'planner.json')('url')
  const socket = plannerSocket(home)
  const known: Address = written ? { ...over(written), source: 'up' } : { ...over(DEFAULT_PLANNER), source: 'default' }
  return existsSync(socket) ? { ...known, source: 'up', socket } : known
}

/** An address without its password, fit for a message. */
export function withoutPassword(address: string): string {
  // No URL parser: an address of Sentinels names several hosts.
  return address
    .replace(/^([a-z+]+:\/\/[^:@/?]*):[^@/?]*@/i, '$1:***@')
    .replace(/([?&][a-z-]*password=)[^&]*/gi, '$1***')
    .replace(/\/$/, '')
}

function checked(text: string, where: string): string {
  const full = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return full.replace(/\/+$/, '')
  throw new RemodelError(
    'invalid-input',
    `${where} is not an address: found ${text}, wanted one like ${DEFAULT_PLANNER}`,
  )
}

/** The texts of a file of the home, read without a schema: every command pays for it at its start. */
function readJson(home: string, file: string): (key: string) => string | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(join(home, file), 'utf8'))
    return (key) => {
      const text: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined
      return typeof text === 'string' ? text : undefined
    }
  } catch {
    return () => undefined
  }
}
