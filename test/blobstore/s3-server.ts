import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'

/** A server of the S3 protocol of the test's own, reached through a wire that can be cut. */
export interface S3Server {
  /** URL of an empty bucket, for `REMODEL_BLOBSTORE`. */
  url(bucket: string, prefix?: string): string
  env: Record<string, string>
  /** Method and path of every request so far. */
  requests: string[]
  /** The next connections break after this many bytes of answer each. */
  breakAfter: number[]
  /** Every connection breaks after this many bytes of answer; 0: none. */
  breakAll: number
  stop(): Promise<void>
}

export async function startS3(buckets: readonly string[]): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-s3-'))
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: buckets.map((name) => ({ name, configs: [] })),
  })
  const { port } = await server.run()
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const wire = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    let answered = 0
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (bytes) => {
      const [line = ''] = bytes.toString('latin1').split('\r\n', 1)
      if (/^[A-Z]+ \/\S* HTTP/.test(line)) requests.push(line.replace(/ HTTP.*/, ''))
      far.write(bytes)
    })
    let cut = false
    far.on('data', (bytes) => {
      if (cut) return
      answered += bytes.length
      const limit = s3.breakAll || s3.breakAfter[0]
      if (limit === undefined || answered <= limit) {
        near.write(bytes)
        return
      }
      cut = true
      if (s3.breakAll === 0) s3.breakAfter.shift()
      near.write(bytes.subarray(0, Math.max(0, bytes.length - (answered - limit))), () => near.destroy())
    })
  })
  const wirePort = await listen(wire)
  const s3: S3Server = {
    url: (bucket, prefix = '') => `s3://${bucket}${prefix}?endpoint=http://127.0.0.1:${wirePort}&region=eu-test-1`,
    env: { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' },
    requests,
    breakAfter: [],
    breakAll: 0,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => wire.close(resolve))
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return s3
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
}
