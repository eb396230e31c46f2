import { readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { variablesOfKinds } from '../kinds/variables.ts'
import { findPlanner, withoutPassword } from '../shared/api/address.ts'
import { Client } from '../shared/api/client.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { redisAddressFile } from '../shared/runtime/redis.ts'
import { checkSettings, numberSetting } from '../shared/runtime/settings.ts'
import { reasonOf } from '../shared/runtime/system-error.ts'
import { prepareHome } from './stack/home.ts'
import { awaitRedis, drawPassword, freePort, redisCommand, requireRedisServer } from './stack/redis.ts'
import { endLeftovers } from './stack/stop.ts'
import { Supervised, type Supervision } from './stack/supervised.ts'
import { claimUpFile, isAlive, markOf, readUpFile, type UpFile, upFilePath, writeUpFile } from './stack/up-file.ts'

export interface StackOptions {
  /** Folder of all data: Redis, blobs, machines, logs. */
  home: string
  /** Port of the planner; default 7070, or a free one where that is taken. */
  port?: number
  compilers: number
  assemblers: number
  /** A Redis that runs already; default: one of our own below `home`. */
  redisUrl?: string
  /** A line that a service wrote. */
  line(service: string, line: string): void
  /** What happens to the stack, as sentences for people. */
  tell(sentence: string): void
  /** What the start has been waiting for, where that takes a while. */
  waiting(sentence: string): void
}

export interface Stack {
  readonly planner: string
  readonly redis: string
  readonly home: string
  /** Ends services in order, then Redis. Safe to call twice. */
  stop(): Promise<void>
  /** Ends everything at once. */
  kill(): void
}

const ROOT = resolve(import.meta.dirname, '..')
const GRACE_MS = 10_000
/** How long Redis and the planner may take to answer; slow machines may be given more. */
const readyMs = () => 1000 * numberSetting('REMODEL_READY_SECONDS')
/** A planner that dies this often before it has ever answered will not come up by trying again. */
const FATAL_DEATHS = 3

/**
 * Starts Redis, a planner, compilers and assemblers as processes of their own and keeps them running until `stop`.
 *
 * claimed (`up.json` exists) -> Redis answers -> planner answers -> workers started -> up. A failure on the way ends
 * what was started and takes `up.json` away. Throws `conflict` where this home is up already, `unsupported` without
 * redis-server, `unavailable` where something does not answer in time.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { home } = options
  // A service that refuses to start would be started again and again.
  checkSettings(await variablesOfKinds())
  await prepareHome(home, options.tell)
  const redisPort = options.redisUrl === undefined ? await freePort() : undefined
  // Without its password, as it may be shown; services of this home find the whole address in a file.
  const redis = options.redisUrl ?? `redis://127.0.0.1:${redisPort}`
  const up = await claim(home, redis, options)
  const running: Supervised[] = []
  let ending = false

  const supervision: Supervision = {
    line: options.line,
    tell: options.tell,
    changed() {
      if (ending) return
      up.processes = running.flatMap((one) => {
        const mark = one.pid === undefined ? undefined : markOf(one.pid)
        return mark ? [{ name: one.name, ...mark }] : []
      })
      save()
    },
  }
  // One write after the other: two renames of drafts could end in the older one.
  let saving: Promise<unknown> = Promise.resolve()
  const save = () => {
    saving = saving
      .then(() => writeUpFile(home, up))
      .catch((error) => options.tell(`up.json could not be written: ${reasonOf(error)}`))
    return saving
  }

  const run = (name: string, command: string, args: readonly string[], more: () => NodeJS.ProcessEnv = () => ({})) => {
    const address = options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }
    const env = () => ({ ...process.env, ...address, REMODEL_HOME: home, ...more() })
    const one = new Supervised(
      () => ({ name, command, args, env: env(), cwd: ROOT, log: join(home, 'log', `${name}.log`) }),
      supervision,
    )
    running.push(one)
    one.start()
    return one
  }
  const service = (kind: string, name: string, more?: () => NodeJS.ProcessEnv) =>
    run(name, process.execPath, [join(ROOT, 'services', kind, 'main.ts')], more)

  const kill = () => {
    ending = true
    for (const one of running) one.kill()
  }
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= (async () => {
      ending = true
      // Workers and planner first, all at once; Redis last, as they record how they left.
      await Promise.all(running.filter((one) => one.name !== 'redis').map((one) => one.stop(GRACE_MS)))
      await Promise.all(running.map((one) => one.stop(GRACE_MS)))
      await saving
      if (redisPort !== undefined) await rm(redisAddressFile(home), { force: true })
      await rm(upFilePath(home), { force: true })
    })()
    return stopped
  }

  let whole = redis
  try {
    if (redisPort !== undefined) {
      await requireRedisServer()
      const password = await drawPassword(home, redisPort)
      run('redis', ...redisCommand(redisPort, join(home, 'redis'), password.file))
      whole = password.url
    }
    await awaitRedis(whole, readyMs(), options.waiting)
    let listen = `127.0.0.1:${await choosePort(options)}`
    await rm(join(home, 'planner.json'), { force: true })
    const planner = service('planner', 'planner', () => ({ REMODEL_LISTEN: listen }))
    up.planner = await awaitPlanner(home, planner, options.waiting)
    // A planner that is started again comes back where its users look for it.
    listen = new URL(up.planner).host
    for (let n = 1; n <= options.compilers; n++) service('compiler', `compiler-${n}`)
    for (let n = 1; n <= options.assemblers; n++) service('assembler', `assembler-${n}`)
    up.state = 'up'
    await save()
    return { planner: up.planner, redis, home, stop, kill }
  } catch (error) {
    await stop()
    throw error
  }
}

async function claim(home: string, redis: string, options: StackOptions): Promise<UpFile> {
  const supervisor = markOf(process.pid)
  if (!supervisor) throw new RemodelError('unsupported', 'this process cannot be found in the process table')
  const up: UpFile = { state: 'starting', supervisor, since: Date.now(), planner: null, redis, processes: [] }
  if (await claimUpFile(home, up)) return up
  const other = await readUpFile(home)
  if (other && isAlive(other.supervisor)) {
    const where = other.planner ? ` at ${other.planner}` : ''
    throw new RemodelError(
      'conflict',
      `Remodel is up already${where} (process ${other.supervisor.pid}): stop it with \`remodel down\``,
      {
        details: { pid: other.supervisor.pid, planner: other.planner },
      },
    )
  }
  // Its supervisor was killed; what it left running would hold the data of this home.
  if (other) await endLeftovers(other, options.tell)
  await rm(upFilePath(home), { force: true })
  if (await claimUpFile(home, up)) return up
  throw new RemodelError('conflict', `another \`remodel up\` began in ${home} at this moment`)
}

async function choosePort(options: StackOptions): Promise<number> {
  if (options.port !== undefined) {
    if (options.port !== 0 && (await freePort(options.port)) === undefined) {
      throw new RemodelError('conflict', `port ${options.port} is taken: choose another with --port, or leave it out`)
    }
    return options.port
  }
  const usual = await freePort(7070)
  if (usual !== undefined) return usual
  options.tell('port 7070 is taken, so the planner listens on a free one')
  return 0
}

/** Waits until the planner has written where it listens and answers there. */
async function awaitPlanner(home: string, planner: Supervised, waiting: (sentence: string) => void): Promise<string> {
  const deadline = Date.now() + readyMs()
  const log = join(home, 'log', 'planner.log')
  const slow = `waiting up to ${readyMs() / 1000} s for the planner to answer; its log is ${log}`
  let tellAt = Date.now() + readyMs() / 3
  while (Date.now() < deadline && planner.deaths < FATAL_DEATHS) {
    const url = await readPlannerUrl(home, planner.pid)
    if (url !== undefined) {
      const client = new Client({ ...findPlanner(url, home), source: 'up' })
      const answered = await client.info(2000).then(
        () => true,
        () => false,
      )
      if (answered) return url
    }
    if (Date.now() > tellAt && planner.deaths === 0) {
      waiting(slow)
      tellAt = deadline
    }
    await setTimeout(25)
  }
  const late = `did not answer within ${readyMs() / 1000} s`
  const why = planner.deaths > 0 ? `could not start: ${planner.reason ?? 'it does not say why'}` : late
  throw new RemodelError('unavailable', `the planner ${why} (its log is ${log})`, { details: { log } })
}

async function readPlannerUrl(home: string, pid: number | undefined): Promise<string | undefined> {
  try {
    const written = JSON.parse(await readFile(join(home, 'planner.json'), 'utf8'))
    return written.pid === pid && typeof written.url === 'string' ? written.url : undefined
  } catch {
    return undefined
  }
}

/** The stack as sentences for people, once it is up. */
export function describeStack(stack: Pick<Stack, 'planner' | 'redis' | 'home'>): string[] {
  return [`planner  ${stack.planner}`, `redis    ${withoutPassword(stack.redis)}`, `home     ${stack.home}`]
}
