import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { exit, type Verb } from '../verb.ts'

const simulator = fileURLToPath(new URL('../../test/sim/main.ts', import.meta.url))

/** The simulator is a part of the sources, not of the published package. */
const sim: Verb = {
  configure(command) {
    command.argument('<replay>', 'what to do: `replay`').argument('<file>', 'a run that the simulator recorded')
  },
  examples: [['sim replay .remodel/sim/4711.json', 'run a recorded simulation again, step by step']],
  async run(context, [what, file = '']) {
    if (what !== 'replay') {
      throw new RemodelError('invalid-input', `sim can only replay, not ${what}`, {
        faults: [{ message: 'is not known', found: what ?? 'nothing', allowed: 'replay' }],
      })
    }
    if (!existsSync(file)) throw new RemodelError('invalid-input', `there is no file ${file}`)
    if (!existsSync(simulator)) throw new RemodelError('unsupported', 'simulated runs need a checkout of the sources')
    const args = [simulator, '--replay', file, ...(context.json ? ['--json'] : [])]
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? exit.failed
  },
}

export default sim
