import { Command, CommanderError, Option } from 'commander'
import { RemodelError } from '../shared/runtime/errors.ts'
import { type Context, createContext, type GlobalOptions } from './context.ts'
import { exit, groups, type OtherWords, type VerbEntry } from './verb.ts'
import { verbsFor } from './verbs/index.ts'
import { tellError } from './views/error.ts'

/** Runs one command line (without `node` and the script) and answers with the exit code. Never throws. */
export async function runProgram(words: readonly string[]): Promise<number> {
  const argv = words.map((word, index) => (index === 0 && (word === '--version' || word === '-V') ? 'version' : word))
  leaveQuietlyWhenNobodyReads()
  let context = createContext({ json: asksForJson(argv) })
  try {
    let code: number = exit.done
    const program = createProgram()
    const called = calledVerb(argv)
    const verbs = await verbsFor(called)
    for (const entry of verbs) {
      const command = addVerb(program, entry)
      if (entry.name !== called) continue
      await configureVerb(command, entry, async (options, args) => {
        context = createContext(options)
        const verb = (await entry.load()).default
        code = await verb.run(context, args, options as never)
      })
    }
    if (isUnknownVerb(called, verbs)) {
      const known = await elsewhere('verb', called)
      if (known !== undefined) throw new RemodelError('invalid-input', known)
      await program.parseAsync([called], { from: 'user' })
    }
    if (argv.length === 0) program.outputHelp()
    else await program.parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    return await tellFailure(error, context)
  }
}

/** The command tree without verbs: global options and how it speaks. */
export function createProgram(): Command {
  const program = new Command('remodel')
  program
    .description('Deploys things that must keep running while they change.')
    .usage('VERB [options]')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name() })
    .addHelpText('after', '\nremodel VERB --help tells more, with examples. Start with: remodel up')
  addGlobalOptions(program)
  program.addHelpCommand(
    new Command('help').argument('[verb]').description('show help of a verb').helpGroup(groups.stack),
  )
  return program
}

/** Registers a verb by name and summary only. */
export function addVerb(program: Command, entry: VerbEntry): Command {
  const command = program
    .command(entry.name)
    .description(sentence(entry.summary))
    .summary(entry.summary)
    .helpGroup(groups[entry.group])
  return command.exitOverride()
}

/** Loads a verb and declares its arguments, options and examples on its command. */
export async function configureVerb(
  command: Command,
  entry: VerbEntry,
  action: (options: GlobalOptions, args: string[]) => Promise<void>,
): Promise<void> {
  const verb = (await entry.load()).default
  verb.configure(command)
  for (const option of globalOptions()) command.addOption(option.hideHelp())
  const examples = verb.examples.map(([line, what]) => `  remodel ${line}\n      ${what}`).join('\n')
  if (examples !== '') command.addHelpText('after', `\nExamples:\n${examples}`)
  command.action(async () => {
    // Merged by hand: a global option is meant the same before and after the verb.
    await action({ ...command.parent?.opts(), ...command.opts() }, command.args)
  })
}

function globalOptions(): Option[] {
  return [
    new Option('--json', 'write JSON: one document, or JSON lines for streams'),
    new Option('--planner <url>', 'address of the planner (else $REMODEL_PLANNER, else what `up` wrote)'),
    new Option('--home <dir>', 'folder of `up` (else $REMODEL_HOME, else ~/.remodel)'),
    new Option('--verbose', 'show barriers, every step and every field'),
    new Option('--no-color', 'no colour'),
  ]
}

function addGlobalOptions(command: Command): void {
  for (const option of globalOptions()) command.addOption(option)
}

/** The verb that a command line calls, read without parsing it, so that only that verb is loaded. */
function calledVerb(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (word === '--planner' || word === '--home') at++
    else if (word === 'help') return argv[at + 1]
    else if (!word.startsWith('-')) return word
  }
  return undefined
}

/** A verb that is none, also one whose help was asked for: the parser would print the help of all verbs and succeed. */
function isUnknownVerb(called: string | undefined, verbs: readonly VerbEntry[]): called is string {
  return called !== undefined && called !== 'help' && !verbs.some(({ name }) => name === called)
}

/** The parser's sentence, or ours where the option is one of another command that a kind knows. */
async function wordsOf(message: string): Promise<string> {
  const option = /^unknown option '([^']+)'/.exec(message)?.[1]
  return (option === undefined ? undefined : await elsewhere('option', option)) ?? message
}

async function elsewhere(of: keyof OtherWords, word: string): Promise<string | undefined> {
  return (await import('./of-kinds.ts')).knownElsewhere(of, word)
}

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json')
}

/** What was given is wrong: a file, an option, a name that nothing has. */
const wrongUse: readonly string[] = ['invalid-input', 'not-found']

async function tellFailure(error: unknown, context: Context): Promise<number> {
  if (error instanceof CommanderError) {
    // Help and version arrive here too: they have been printed, and they are no failure.
    if (error.exitCode === 0 || error.code === 'commander.help') return exit.done
    const message = await wordsOf(error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '))
    tellError(new RemodelError('invalid-input', message), context)
    return exit.wrongUse
  }
  tellError(error, context)
  return error instanceof RemodelError && wrongUse.includes(error.code) ? exit.wrongUse : exit.failed
}

function leaveQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      // `up` has processes to look after and goes on; everything else is done once its reader is gone.
      if (process.listenerCount('SIGTERM') === 0) process.exit(exit.done)
    })
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
