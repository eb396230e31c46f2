import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from '../../test/support/services.ts'
import { atMost, type Figure } from '../figure.ts'

const seconds = 10
/** Linux counts a process' time in hundredths of a second. */
const ticksPerSecond = 100

/** Time on a core of Redis, planner, compiler and assembler together while there is nothing to do. */
export async function idleFigure(bench: string): Promise<Figure> {
  const stack = await startServices()
  try {
    const pids = [stack.redis.pid(), ...stack.services.map((service) => service.process.pid!)]
    const used = () => pids.reduce((sum, pid) => sum + ticksOf(pid), 0)
    await sleep(3000)
    const before = used()
    await sleep(seconds * 1000)
    const share = ((used() - before) / ticksPerSecond / seconds) * 100
    const against = `Redis, planner, compiler, assembler over ${seconds} s`
    return atMost({ bench, case: 'idle CPU of everything', value: share, unit: '% of a core', against }, 1)
  } finally {
    await stack.stop()
  }
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  // utime and stime are fields 14 and 15 of the line, 12 and 13 after the name.
  return Number(fields[11]) + Number(fields[12])
}
