import { createHmac, randomBytes } from 'node:crypto'
import { sameSecret } from '../../../../shared/runtime/token.ts'

const cookieName = 'remodel-board'
const keyMs = 120_000
const visitMs = 12 * 3600_000
const mostKeys = 100

/**
 * How a browser gets to see the board: `remodel board` gets a key that opens once, within two minutes; who shows it
 * gets a cookie for twelve hours. The cookie opens the board and nothing else, for looking only. It is signed with the
 * token, so it outlives a restart of the planner, and ends with the token.
 */
export class BoardVisits {
  readonly #token: string | undefined
  readonly #now: () => number
  /** Key -> until when. */
  readonly #keys = new Map<string, number>()

  constructor(token: string | undefined, now: () => number = Date.now) {
    this.#token = token
    this.#now = now
  }

  /** A key for one visit; undefined where there is no token to sign with. */
  key(): string | undefined {
    if (this.#token === undefined) return undefined
    for (const [key, until] of this.#keys)
      if (until < this.#now() || this.#keys.size >= mostKeys) this.#keys.delete(key)
    const key = randomBytes(24).toString('base64url')
    this.#keys.set(key, this.#now() + keyMs)
    return key
  }

  /** The cookie for a key, which is used up; undefined where it is none, was used, or is too old. */
  enter(key: string): string | undefined {
    const until = this.#keys.get(key)
    this.#keys.delete(key)
    if (until === undefined || until < this.#now()) return undefined
    const end = String(this.#now() + visitMs)
    return `${cookieName}=${end}.${this.#sign(end)}; Path=/board; Max-Age=${visitMs / 1000}; HttpOnly; SameSite=Strict`
  }

  /** True where a caller with these cookies may look at this route; the way in is open to every caller. */
  opens(route: string, cookies: string | undefined): boolean {
    if (route === '/board/enter') return true
    if (route !== '/board' && !route.startsWith('/board/')) return false
    const [end = '', signature = ''] =
      new RegExp(`(?:^|;\\s*)${cookieName}=([^;]*)`).exec(cookies ?? '')?.[1]?.split('.') ?? []
    return this.#token !== undefined && Number(end) > this.#now() && sameSecret(signature, this.#sign(end))
  }

  #sign(end: string): string {
    return createHmac('sha256', this.#token ?? '')
      .update(`board until ${end}`)
      .digest('base64url')
  }
}
