import type { RedisSettings } from '../runtime/redis.ts'

/** Base key of one deployment. */
export function baseKey(prefix: string, deployment: string): string {
  return `${prefix}:{${deployment}}`
}

/** The deployment a base key belongs to. */
export function deploymentOf(base: string): string {
  return base.slice(base.lastIndexOf('{') + 1, -1)
}

/** Channel on which scripts announce what was released. */
export function releasedChannel(settings: RedisSettings): string {
  return `${settings.prefix}:released`
}

/** Channel that tells the first in line for a deployment's lock that its turn has come: the message is its id. */
export function unlockedChannel(settings: RedisSettings): string {
  return `${releasedChannel(settings)}:unlocked`
}

/** Channel on which scripts announce that a deployment owes fences. */
export function owingChannel(settings: RedisSettings): string {
  return `${releasedChannel(settings)}:owing`
}

/** Where this Redis' epoch and its beat are kept. */
export function epochKey(settings: RedisSettings): string {
  return `${settings.prefix}:epoch`
}

/** All plans by the time they were stored. */
export function recentKey(settings: RedisSettings): string {
  return `${settings.prefix}:recent`
}

/** Deployments by the time when retention has to look at them. */
export function dueKey(settings: RedisSettings): string {
  return `${settings.prefix}:due`
}

/** Plans that have ended and are to be moved to the blobstore, by the time they were listed. */
export function endedKey(settings: RedisSettings): string {
  return `${settings.prefix}:ended`
}

/** Deployments that are mended by themselves. */
export function healingKey(settings: RedisSettings): string {
  return `${settings.prefix}:healing`
}

/** Channel on which assemblers tell what they have noticed of machines: `Alarm`. */
export function alarmsChannel(settings: RedisSettings): string {
  return `${settings.prefix}:alarms`
}

/** Channel that tells workers to stop what they do for a plan. */
export function abortChannel(settings: RedisSettings): string {
  return `${settings.prefix}:abort`
}
