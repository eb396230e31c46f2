import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Answers `net`: addresses 127.<net>.0.x belong to this process from now on, as long as it lives. Two runs on one machine would
 * else talk to each other's servers. Held by listening at one of them, so nothing is left of a run that was killed.
 */
export async function ownNet(): Promise<number> {
  for (let net = 192; net < 255; net++) {
    const holder = createServer().listen({ host: `127.${net}.0.254`, port: 5431, exclusive: true })
    try {
      await once(holder, 'listening')
      holder.unref()
      return net
    } catch {
      // Somebody else's.
    }
  }
  throw new Error('no addresses are left: all of 127.192 to 127.254 are in use by tests')
}
