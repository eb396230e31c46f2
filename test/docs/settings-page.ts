import { numbers } from '../../shared/runtime/settings.ts'
import { texts } from '../../shared/runtime/text-settings.ts'

const head = `# Settings

Every variable of the environment that Remodel reads, written from \`shared/runtime/settings.ts\` and \`text-settings.ts\`:
\`vitest run test/docs --update\` writes this page again. A service refuses to start on a number that is out of its bounds, with the
name of the variable. An empty value counts as not set. A variable that begins with \`REMODEL_\` and is not on this page is named in
the log.
`

/** The page of all variables. */
export function settingsPage(): string {
  const numberRows = Object.entries(numbers).map(([name, { readBy, words, unit, unset, what }]) =>
    row([`\`${name}\``, readBy, words, unset === undefined ? 'differs' : `${unset} ${unit}`, what]),
  )
  const textRows = Object.entries(texts).map(([name, { readBy, type, unset = '', what }]) =>
    row([`\`${name}\``, readBy, type, unset, what]),
  )
  const table = (rows: readonly string[]) =>
    [row(['variable', 'read by', 'type', 'not set', 'for what']), '|---|---|---|---|---|', ...rows].join('\n')
  return `${head}
## Numbers

${table(numberRows)}

## Texts

${table(textRows)}
`
}

const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
