import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { RemodelError } from '../shared/errors.ts'

/** Where the planner is, and where its Redis is as far as this machine knows. */
export interface Address {
  url: string
  /** Who said so, for the sentence when nobody answers there. */
  source: 'option' | 'environment' | 'up' | 'default'
  redis: string | undefined
}

const DEFAULT_PLANNER = 'http://127.0.0.1:7070'

/** Folder of `up`: the option, $REMODEL_HOME, ~/.remodel. */
export function findHome(option?: string): string {
  return resolve(option || process.env.REMODEL_HOME || join(homedir(), '.remodel'))
}

/** The planner's address: the option, $REMODEL_PLANNER, what `up` wrote, the default. */
export function findPlanner(option: string | undefined, home: string): Address {
  const up = readAddresses(home)
  const redis = up?.redis ?? process.env.REDIS_URL
  if (option) return { url: checked(option, '--planner'), source: 'option', redis }
  const environment = process.env.REMODEL_PLANNER
  if (environment) return { url: checked(environment, '$REMODEL_PLANNER'), source: 'environment', redis }
  if (up?.planner) return { url: up.planner, source: 'up', redis }
  return { url: DEFAULT_PLANNER, source: 'default', redis }
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

/** Only the two addresses are read here, without a schema: every command pays for it at its start. */
function readAddresses(home: string): { planner: string | undefined; redis: string | undefined } | undefined {
  try {
    const up: unknown = JSON.parse(readFileSync(join(home, 'up.json'), 'utf8'))
    if (typeof up !== 'object' || up === null) return undefined
    const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
    return { planner: text(Reflect.get(up, 'planner')), redis: text(Reflect.get(up, 'redis')) }
  } catch {
    return undefined
  }
}
