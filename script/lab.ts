import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { unreadable } from '../cli/files.ts'
import { createStyle, plain } from '../cli/views/style.ts'
import { wrapped } from '../cli/views/wrap.ts'
import { describeFault, RemodelError, toError } from '../shared/runtime/errors.ts'
import { Lab } from './lab/lab.ts'
import { stepText } from './lab/steps.ts'
import { readLine, readSession, type WrittenStep } from './lab/written-step.ts'

/**
 * Plan, pretend that the plan was carried out, edit, plan again: without planner, Redis or machines (docs/use/lab.md).
 * Steps are typed, one a line, or read from a session.
 */
const help = `Usage: npm run lab -- MANIFEST [CLOUD-CONFIG...]
       npm run lab -- --session FILE

Plans, pretends that the plan was carried out, and plans again: offline, with no Redis and no machines.
Documents are read again for each plan: edit them and type "plan". Nothing is stored, no file is changed.

Steps, one a line of the input:
  plan                                    what a deploy would change, and why
  plan: { remove: true }                  with options: recreate, remove, skip-drain, accept-loss
  carry-out                               pretend that the plan was carried out
  carry-out: 2                            end after two remodels, as a plan that fails
  carry-out: { until: "start-instance web/0" }   end before this remodel
  replace: { from: "instances: 2", to: "instances: 3" }   edit the manifest in memory; in: another document
  find: { instance/web/0: { health: failing } }   what an inspector finds from now on
  floorplan                               what exists now
  save: FILE                              write the floorplan, for "remodel plan --floorplan FILE"
  help, quit

Options:
  --session FILE  documents and steps are in this file; examples/lab has some
  --verbose       plans with every remodel and every field
  --help

Exit codes: 0 every step was done, 2 bad input, with its place, 1 anything else failed.
`

/** As those of the command. */
const exit = { done: 0, failed: 1, badInput: 2 } as const
const style = createStyle(process.stdout.isTTY === true)
const isTyped = process.stdin.isTTY === true
const say = (lines: readonly string[]) => process.stdout.write(wrapped(lines.join('\n'), process.stdout))

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = complain(error)
}

async function main(): Promise<number> {
  const { values, positionals } = given()
  if (values.help === true) process.stdout.write(help)
  else if (values.session !== undefined) await play(values.session, positionals, values.verbose)
  else if (positionals.length === 0) throw wrongUse('the lab needs a manifest, or --session FILE')
  else await follow(await Lab.open({ documents: positionals, style, verbose: values.verbose }))
  return exit.done
}

function given() {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: { session: text, verbose: flag, help: { ...flag, short: 'h' } },
    })
  } catch (error) {
    throw wrongUse(toError(error).message)
  }
}

/** Steps of a file; the first that fails ends it. */
async function play(file: string, more: readonly string[], verbose: boolean): Promise<void> {
  if (more.length > 0) throw wrongUse(`a session names its documents: ${more.join(', ')} cannot be added`)
  const text = await readFile(file, 'utf8').catch((error) => {
    throw unreadable(file, error)
  })
  const { documents, steps } = readSession(file, text)
  const lab = await Lab.open({ documents: documents.map((one) => join(dirname(file), one)), style, verbose })
  for (const written of steps) {
    say([style.bold(`> ${stepText(written.step)}`)])
    say([...(await lab.take(written)), ''])
  }
}

/** Steps of the standard input. At a terminal one that fails can be typed again; else it ends the rest too. */
async function follow(lab: Lab): Promise<void> {
  const input = createInterface({ input: process.stdin, output: process.stdout, terminal: isTyped })
  // The input may end while a step is done.
  let isOpen = isTyped
  input.once('close', () => {
    isOpen = false
  })
  input.setPrompt('lab> ')
  if (isTyped) say(['Type plan, carry-out, floorplan, help or quit.'])
  if (isOpen) input.prompt()
  let number = 0
  try {
    for await (const line of input) {
      number++
      if (line.trim() === 'quit') return
      if (line.trim() === 'help') process.stdout.write(help)
      else await takeTyped(lab, () => readLine(line, number))
      if (isOpen) input.prompt()
    }
  } finally {
    input.close()
  }
}

async function takeTyped(lab: Lab, read: () => WrittenStep | undefined): Promise<void> {
  try {
    const written = read()
    if (written) say([...(await lab.take(written)), ''])
  } catch (error) {
    if (!isTyped) throw error
    complain(error)
  }
}

/** Says what went wrong; answers with the exit code. */
function complain(thrown: unknown): number {
  const error = toError(thrown)
  const known = error instanceof RemodelError ? error : undefined
  const faults = (known?.faults ?? []).map((fault) => `  ${plain(describeFault(fault))}`)
  process.stderr.write(wrapped([`lab: ${plain(error.message)}`, ...faults].join('\n'), process.stderr))
  if (known === undefined || process.env.REMODEL_DEBUG) process.stderr.write(`${error.stack}\n`)
  return known?.code === 'invalid-input' || known?.code === 'not-found' ? exit.badInput : exit.failed
}

function wrongUse(message: string): RemodelError {
  return new RemodelError('invalid-input', `${message}; --help says more`)
}
