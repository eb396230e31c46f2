import type { Command } from 'commander'
import { Argument } from 'commander'
import { addVerb, configureVerb, createProgram } from '../program.ts'
import { exit, type Verb } from '../verb.ts'
import { type CommandWords, shells } from '../views/completion.ts'
import { allVerbs } from './index.ts'

const completion: Verb = {
  configure(command) {
    command.addArgument(new Argument('<shell>').choices(Object.keys(shells)))
  },
  examples: [
    ['completion bash > /etc/bash_completion.d/remodel', 'for all users of bash'],
    ['completion zsh > "${fpath[1]}/_remodel"', 'for zsh'],
    ['completion fish > ~/.config/fish/completions/remodel.fish', 'for fish'],
  ],
  async run(context, [shell = '']) {
    const script = shells[shell as keyof typeof shells](await readTree())
    if (context.json) context.document({ shell, script })
    else context.raw(script)
    return exit.done
  },
}

export default completion

/** Every verb with its options, read off the command tree itself, so that the script cannot fall behind. */
async function readTree(): Promise<CommandWords> {
  const program = createProgram()
  for (const entry of await allVerbs()) await configureVerb(addVerb(program, entry), entry, async () => {})
  return {
    options: optionsOf(program),
    verbs: program.commands.map((command) => ({
      name: command.name(),
      summary: command.summary(),
      options: optionsOf(command),
      words: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
      takesFile: command.registeredArguments.some((argument) => /^(file|dir|plan)/.test(argument.name())),
    })),
  }
}

function optionsOf(command: Command) {
  return command.options
    .filter((option) => option.long !== undefined && option.description !== '')
    .map((option) => ({
      long: option.long ?? '',
      short: option.short ?? '',
      description: option.description,
      takesValue: option.required || option.optional,
    }))
}
