import type { Redis } from 'ioredis'

/**
 * Reads a key that a living process gives anew before `lifeMs` have passed; null where it ran out. A key that would
 * last longer than any is given was written before the clock of Redis was set back: it is shortened, and only a process
 * that lives gives it anew.
 */
export async function signOfLife(redis: Redis, key: string, lifeMs: number): Promise<string | null> {
  const [, sign] = await Promise.all([redis.pexpire(key, lifeMs, 'LT'), redis.get(key)])
  return sign
}
