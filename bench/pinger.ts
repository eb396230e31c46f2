import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '../shared/runtime/redis.ts'

/** Another client of a Redis, in a process of its own: how long its PINGs take says for how long others are held up. */
export class Pinger {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(url: string): Promise<Pinger> {
    const child = fork(new URL(import.meta.url).pathname, ['ping', url], { stdio: 'inherit' })
    await once(child, 'message')
    return new Pinger(child)
  }

  /** Milliseconds of every PING since it began. */
  async end(): Promise<number[]> {
    const answer = once(this.#child, 'message')
    this.#child.send('end')
    const [taken] = await answer
    return taken
  }
}

if (process.argv[2] === 'ping') {
  const redis = connectRedis({ url: process.argv[3]!, prefix: 'ping' }, 'service')
  await redis.ping()
  process.send?.('ready')
  const taken: number[] = []
  process.on('message', () => {
    process.send?.(taken, () => process.exit(0))
  })
  for (;;) {
    const started = performance.now()
    await redis.ping()
    taken.push(performance.now() - started)
    await sleep(2)
  }
}
