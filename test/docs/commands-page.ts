import { addVerb, configureVerb, createProgram } from '../../cli/program.ts'
import { groups } from '../../cli/verb.ts'
import { allVerbs } from '../../cli/verbs/index.ts'

const head = `# Commands

Every verb with its options, written from the command itself: \`vitest run test/docs --update\` writes this page anew. Every verb also
takes \`--json\`, \`--planner URL\`, \`--home DIR\`, \`--verbose\` and \`--no-color\`, before or behind its name.

Exit codes: 0 done, 1 failed, 2 wrong use, bad input or a name that nothing has, 3 a plan has changes (\`remodel plan\`), 130 left by Ctrl-C while the work goes on;
\`exec\` passes on the code of its command.
`

/** The page of all verbs, in the order of the help. */
export async function commandsPage(): Promise<string> {
  const program = createProgram()
  const parts = [head]
  let group = ''
  for (const entry of await allVerbs()) {
    if (entry.group !== group) parts.push(`## ${groups[entry.group].replace(/:$/, '')}\n`)
    group = entry.group
    const command = addVerb(program, entry)
    await configureVerb(command, entry, async () => {})
    const { examples } = (await entry.load()).default
    const rows = [
      ...command.registeredArguments.map((one) => [
        `${one.required ? `<${one.name()}>` : `[${one.name()}]`}`,
        one.description,
      ]),
      ...command.options.filter(({ hidden }) => !hidden).map(({ flags, description }) => [flags, description]),
    ].map(([name, what]) => `| \`${cell(name ?? '')}\` | ${cell(what ?? '')} |`)
    parts.push(`### ${entry.name}\n\n${command.description()}\n\n    remodel ${entry.name} ${command.usage()}\n`)
    if (rows.length > 0) parts.push(`| | |\n|---|---|\n${rows.join('\n')}\n`)
    if (examples.length > 0)
      parts.push(`${examples.map(([line, what]) => `- \`remodel ${line}\`: ${what}`).join('\n')}\n`)
  }
  return parts.join('\n')
}

const cell = (text: string) => text.replaceAll('|', '\\|')
