/**
 * Named points at durable boundaries, where tests kill, stop or slow a process.
 *
 * Free in production: without REMODEL_FAILPOINTS the call is an empty function. The variable holds
 * `<name>=<what>[@<n>]`, comma separated; `what` is `kill` (SIGKILL to itself), `stop` (SIGSTOP to itself), `throw`, or
 * `sleep:<ms>`; `@n` means only the n-th time the point is reached (1-based, the first by default).
 * REMODEL_FAILPOINTS_ONCE names a folder: a point whose file is in it was fired before and is not fired again, so
 * that a restarted process gets through. REMODEL_FAILPOINTS_REPORT names a folder where every process that a point
 * kills leaves a file `<name>.<pid>`: the coverage report counts them.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

interface Armed {
  what: string
  on: number
  reached: number
}

type Failpoint = (name: string) => Promise<void> | undefined

const armed = read(process.env.REMODEL_FAILPOINTS)
/** The simulator's (test/sim), which was there before this module was loaded. */
const simulated = Reflect.get(globalThis, Symbol.for('remodel.failpoint')) as Failpoint | undefined

/** Call it right after (or before) a durable step; the name is `<noun>.<where>` and unique in the sources. */
export const failpoint: Failpoint = simulated ?? (armed.size === 0 ? () => undefined : fire)

async function fire(name: string): Promise<void> {
  const point = armed.get(name)
  if (!point || ++point.reached !== point.on || firedBefore(name)) return
  if (point.what === 'kill') {
    mark(name)
    process.kill(process.pid, 'SIGKILL')
  }
  if (point.what === 'stop') process.kill(process.pid, 'SIGSTOP')
  if (point.what === 'throw') throw new Error(`failpoint ${name}`)
  if (point.what.startsWith('sleep:')) await sleep(Number(point.what.slice(6)))
}

function mark(name: string): void {
  const folder = process.env.REMODEL_FAILPOINTS_REPORT
  if (folder) closeSync(openSync(join(folder, `${name}.${process.pid}`), 'w'))
}

function firedBefore(name: string): boolean {
  const folder = process.env.REMODEL_FAILPOINTS_ONCE
  if (!folder) return false
  const file = join(folder, name)
  if (existsSync(file)) return true
  closeSync(openSync(file, 'w'))
  return false
}

function read(text: string | undefined): Map<string, Armed> {
  const points = new Map<string, Armed>()
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const match = /^([^=]+)=([^@]+)(?:@(\d+))?$/.exec(part)
    if (!match?.[1] || !match[2]) throw new Error(`REMODEL_FAILPOINTS: cannot read "${part}"`)
    points.set(match[1], { what: match[2], on: Number(match[3] ?? 1), reached: 0 })
  }
  return points
}
