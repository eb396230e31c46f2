import type { Connection } from '../../shared/provider/connection.ts'
import { shell } from './shell.ts'

/** What an attempt has begun on a machine and then waits for. */
export interface Begun {
  plan: string
  what: string
}

/**
 * Writes it down on the machine, together with the time by the machine's own clock: a later attempt of the same plan,
 * on whichever worker, goes on waiting instead of beginning again. A record of another plan counts for nothing.
 */
export async function noteBegun(connection: Connection, path: string, begun: Begun): Promise<void> {
  const script = `read -r up _ </proc/uptime; printf '%s\\n%s\\n' "$2" "$up" >"$1.new"; mv -f "$1.new" "$1"`
  await shell(connection, script, [path, nameOf(begun)])
}

/**
 * For how many milliseconds it has been going on; null where it was not begun, or the machine was started again since.
 */
export async function begunFor(connection: Connection, path: string, begun: Begun): Promise<number | null> {
  const script = 'read -r up _ </proc/uptime; echo "$up"; cat "$1" 2>/dev/null || true'
  const [now, name, at] = (await shell(connection, script, [path])).split('\n')
  if (name !== nameOf(begun) || at === undefined) return null
  const seconds = Number(now) - Number(at)
  return seconds < 0 ? null : seconds * 1000
}

const nameOf = ({ plan, what }: Begun) => `${plan} ${what}`
