import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** The listeners that hold the nets of this process. */
const holders = new Map<number, Server>()

/** Hosts `a` to `i` of a test. */
const hosts = Array.from({ length: 9 }, (_, index) => index + 1)

/**
 * Answers `net`: addresses 127.<net>.0.x belong to this process from now on, until it ends or gives them back. Two runs
 * on one machine would else talk to each other's servers. Held by listening at one of them; servers that a run left
 * which was killed keep theirs.
 */
export async function ownNet(): Promise<number> {
  for (let net = 192; net < 255; net++) {
    const holder = await listen(`127.${net}.0.254`, 5431)
    if (!holder) continue
    const servers = await Promise.all(hosts.map((host) => listen(`127.${net}.0.${host}`, 5432)))
    for (const server of servers) server?.close()
    if (!servers.includes(null)) {
      holder.unref()
      holders.set(net, holder)
      return net
    }
    holder.close()
  }
  throw new Error('no addresses are left: all of 127.192 to 127.254 are in use by tests')
}

/** Others may have these addresses, where no server of the test is left on them. */
export function giveBackNet(net: number): void {
  holders.get(net)?.close()
  holders.delete(net)
}

/** Null where another process listens there. */
async function listen(host: string, port: number) {
  const server = createServer().listen({ host, port, exclusive: true })
  try {
    await once(server, 'listening')
    return server
  } catch {
    return null
  }
}
