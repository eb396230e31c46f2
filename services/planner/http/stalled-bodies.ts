import type { FastifyInstance } from 'fastify'

/** How long a request may send nothing of a body that it has begun. */
const patienceMs = 30_000

/**
 * Closes connections that stop in the middle of a request's body: each would hold a file of the process for as long as
 * its client likes. A limit for the whole request would end large uploads over slow lines, so what counts is progress.
 */
export function closeStalledBodies(server: Pick<FastifyInstance, 'addHook'>, ms = patienceMs): void {
  server.addHook('onRequest', async ({ raw }) => {
    if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return
    let seen = raw.socket.bytesRead
    const timer = setInterval(() => {
      if (raw.complete || raw.socket.destroyed) return clearInterval(timer)
      // A paused body is not read by us; then its sender is not to blame.
      if (raw.socket.bytesRead === seen && !raw.isPaused()) raw.socket.destroy()
      seen = raw.socket.bytesRead
    }, ms)
    timer.unref()
    raw.once('close', () => clearInterval(timer))
  })
}
