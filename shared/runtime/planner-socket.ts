import { openSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Where the planner of a home listens for the command: a user who may enter the home may use it. */
export function plannerSocket(home: string): string {
  return join(home, 'planner.sock')
}

/** Where it says at which address it listens for TCP. */
export function plannerRecord(home: string): string {
  return join(home, 'planner.json')
}

const folders = new Map<string, number>()

/**
 * A path to listen on or to connect to: an address of a socket has 107 bytes at most, so a longer one goes
 * through its open folder.
 */
export function socketAddress(path: string): string {
  if (Buffer.byteLength(path) < 100 || process.platform !== 'linux') return path
  const folder = dirname(path)
  const opened = folders.get(folder) ?? openSync(folder, 'r')
  folders.set(folder, opened)
  return join(`/proc/self/fd/${opened}`, basename(path))
}
