import { findPlanner } from '../../shared/api/address.ts'
import { Client } from '../../shared/api/client.ts'
import { reasonOf } from '../../shared/runtime/system-error.ts'
import { wholeNumber } from '../arguments.ts'
import { bringBack } from '../bring-back.ts'
import type { Context } from '../context.ts'
import { reportFailure, reportNews, startDetached } from '../stack/detach.ts'
import { describeStack, startStack } from '../stack.ts'
import { exit, type Verb } from '../verb.ts'
import { serviceLine } from '../views/service-log.ts'
import { clock } from '../views/time.ts'

interface Options {
  detach?: boolean
  port?: number
  compilers: number
  assemblers: number
  bringBack: boolean
  /** Set by `--detach` for the process that stays: no lines of services, they are in their logs. */
  quietServices?: boolean
}

const up: Verb<Options> = {
  configure(command) {
    command
      .option('-d, --detach', 'go on in the background; returns when the planner answers')
      .option(
        '--port <n>',
        'port of the planner on the loopback interface (default: 7070, or a free one)',
        wholeNumber(0, 65535),
      )
      .option('--compilers <n>', 'how many compilers', wholeNumber(0, 64), 2)
      .option('--assemblers <n>', 'how many assemblers', wholeNumber(0, 64), 2)
      .option('--no-bring-back', 'leave deployments as they are')
    command.addOption(command.createOption('--quiet-services').hideHelp())
  },
  examples: [
    ['up', 'Redis, planner, compilers and assemblers here; Ctrl-C stops them'],
    ['up --detach', 'the same in the background; `remodel down` stops them'],
    ['up --home /srv/remodel --compilers 4', 'with its data elsewhere and more compilers'],
  ],
  async run(context, _args, options) {
    if (options.detach) return detach(context, options)
    const stop = new AbortController()
    let killNow = (): void => process.exit(exit.failed)
    const leave = () => {
      if (stop.signal.aborted) killNow()
      stop.abort()
    }
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, leave)
    // With --detach both go to a file, and a full disk must not end what looks after all services.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
    const tell = (sentence: string) => {
      if (context.json) context.line({ at: Date.now(), message: sentence })
      else context.say(`${context.style.dim(clock(Date.now()))}  ${context.style.bold('up'.padEnd(11))}  ${sentence}`)
    }
    const waiting = (sentence: string) => {
      reportNews(sentence)
      tell(sentence)
    }
    const line = (service: string, text: string) => {
      if (context.json || options.quietServices) return
      const shown = serviceLine(service, text, context.style, context.verbose)
      if (shown !== undefined) context.say(shown)
    }
    const redisUrl = process.env.REDIS_URL
    const stack = await startStack({
      home: context.home,
      compilers: options.compilers,
      assemblers: options.assemblers,
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(redisUrl ? { redisUrl } : {}),
      line,
      tell,
      waiting,
    }).catch(async (error) => {
      await reportFailure(error)
      throw error
    })
    killNow = () => stack.kill()
    if (context.json)
      context.line({ state: 'up', planner: stack.planner, redis: stack.redis, home: stack.home, pid: process.pid })
    else announce(context, describeStack(stack), 'Remodel is up. Ctrl-C stops it.')
    if (options.bringBack) void bringAllBack(stack.planner, context.home, { tell, signal: stop.signal })
    await aborted(stop.signal)
    tell('stopping; a second signal kills')
    await stack.stop()
    tell('everything is stopped')
    return exit.done
  },
}

export default up

async function detach(context: Context, options: Options): Promise<number> {
  const words = [
    ...(options.port === undefined ? [] : ['--port', String(options.port)]),
    ...['--compilers', String(options.compilers), '--assemblers', String(options.assemblers)],
    ...(options.bringBack ? [] : ['--no-bring-back']),
  ]
  const started = await startDetached(context.home, words, (sentence) => context.remark(sentence))
  if (context.json) context.document({ ...started, home: context.home })
  else {
    announce(context, describeStack({ ...started, home: context.home }), `Remodel is up (process ${started.pid}).`)
    context.say('  stop it  remodel down')
  }
  return exit.done
}

/** What ended with the computer, or was killed while Remodel was down, is made anew. */
async function bringAllBack(
  planner: string,
  home: string,
  { tell, signal }: { tell: (sentence: string) => void; signal: AbortSignal },
): Promise<void> {
  const client = new Client({ ...findPlanner(planner, home), source: 'up' })
  const said = (deployment: string, sentence: string) => tell(`${deployment} ${sentence}`)
  try {
    await bringBack({ client, tell: said, message: 'up: makes anew what is gone', signal })
  } catch (error) {
    if (!signal.aborted) tell(`deployments cannot be brought back: ${reasonOf(error)}`)
  }
}

function announce(context: Context, lines: readonly string[], title: string): void {
  context.say(context.style.green(context.style.bold(title)))
  for (const line of lines) context.say(`  ${line}`)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
