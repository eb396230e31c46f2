import type { Redis } from 'ioredis'

/** How many are mended with each call: more are left to the next one. */
const atOnce = 1000

/**
 * Scores of a sorted set, times in whole numbers, become `latest` where they lie after it: no process gives such a
 * time, so it was given before the clock of Redis was set back. A process that lives gives its own anew.
 */
export async function capTimes(redis: Redis, key: string, latest: number): Promise<void> {
  const ahead = await redis.zrangebyscore(key, latest + 1, '+inf', 'LIMIT', 0, atOnce)
  if (ahead.length > 0) await redis.zadd(key, 'XX', 'LT', ...ahead.flatMap((member) => [latest, member]))
}
