import type { Redis } from 'ioredis'
import type { z } from 'zod'

/**
 * Calls `hear` with each message of a channel that fits `schema`. One that does not fit is of another version of
 * Remodel and passed over: thrown out of a socket's callback it would end the process.
 */
export async function listen<Schema extends z.ZodType>(
  subscriber: Redis,
  channel: string,
  schema: Schema,
  hear: (message: z.output<Schema>) => void,
): Promise<void> {
  subscriber.on('message', (from, text: string) => {
    if (from !== channel) return
    const message = schema.safeParse(readJson(text))
    if (message.success) hear(message.data)
  })
  await subscriber.subscribe(channel)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
