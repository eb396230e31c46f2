import { hostname, userInfo } from 'node:os'

/** The user that this process runs as, and where: `ann@laptop`. */
export function localUser(): string {
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user without an entry in passwd, as in a container.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
