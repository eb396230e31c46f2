import { numbers, type Variables } from '../../shared/runtime/settings.ts'
import { texts } from '../../shared/runtime/text-settings.ts'

const head = `# Settings

Every variable of the environment that Remodel reads, written from \`settings.ts\` and \`text-settings.ts\`
in \`shared/runtime/\` and from \`kinds/*/variables.ts\`:
\`vitest run test/docs --update\` writes this page again. A service refuses to start on a number that is out of its bounds, with the
name of the variable. An empty value counts as not set. A variable that begins with \`REMODEL_\` and is not on this page is named in
the log.
`

/** The page of all variables. */
export function settingsPage(ofKinds: readonly Variables[]): string {
  const all = {
    numbers: Object.assign({}, numbers, ...ofKinds.map((kind) => kind.numbers)) as Variables['numbers'],
    texts: Object.assign({}, texts, ...ofKinds.map((kind) => kind.texts)) as Variables['texts'],
  }
  const numberRows = Object.entries(all.numbers).map(([name, { readBy, words, unit, unset, what }]) =>
    row([`\`${name}\``, readBy, words, unset === undefined ? 'differs' : `${unset} ${unit}`, what]),
  )
  const textRows = Object.entries(all.texts).map(([name, { readBy, type, unset = '', what }]) =>
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
