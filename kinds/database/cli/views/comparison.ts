import { count, plain, type Style, table } from '../../../../cli/sdk.ts'
import type { ComparedTable, Comparison } from '../../api/comparison.ts'

/** A line for what was found, a table of all tables, and what differs of each. */
export function comparisonLines(name: string, { nodes, tables, behind }: Comparison, style: Style): string[] {
  const headings = ['Table', ...nodes.map((node) => `Rows of ${node}`), 'State', 'Key']
  const rows = tables.map((one) => [
    plain(one.name),
    ...nodes.map((node) => one.rows[node]?.toLocaleString('en-US') ?? 'no table'),
    one.state === 'same' ? style.green('same') : style.red(one.state),
    one.keyed ? '' : style.yellow('none'),
  ])
  return [
    `${style.bold(name)}: ${verdictOf(nodes, tables)}`,
    ...behind.map((line) => `  ${style.yellow('!')} ${line}`),
    ...(tables.length === 0 ? [] : ['', ...table(style, headings, rows)]),
    ...tables.flatMap((one) => differenceLines(one, nodes, style)),
  ]
}

function verdictOf(nodes: readonly string[], tables: readonly ComparedTable[]): string {
  const differ = tables.filter(({ state }) => state === 'differs').map(({ name }) => plain(name))
  const changing = tables.filter(({ state }) => state === 'changing').map(({ name }) => plain(name))
  const all = `${count(tables.length, 'table')} of ${nodes.join(', ')}`
  if (differ.length > 0)
    return `${differ.join(', ')} ${differ.length === 1 ? 'differs' : 'differ'} between nodes (${all})`
  if (changing.length > 0)
    return `${changing.join(', ')} changed with every look: compare once more when less is written (${all})`
  return nodes.length < 2 ? 'there is one node, and nothing to compare it with' : `all nodes have the same (${all})`
}

function differenceLines(one: ComparedTable, nodes: readonly string[], style: Style): string[] {
  if (one.state === 'same') return []
  const lacking = Object.entries(one.lacking).map(([node, columns]) => `${node} has no column ${columns.join(', ')}`)
  const absent = nodes.filter((node) => one.rows[node] === null).map((node) => `${node} has no such table`)
  const rows = one.differing.map(({ key, on }) => {
    const values = Object.entries(key).map(([column, value]) => `${plain(column)} = ${plain(value)}`)
    const without = Object.keys(on).filter((node) => on[node] === null)
    const how = without.length > 0 ? `not on ${without.join(', ')}` : 'another row'
    return `${values.join(', ')}: ${how}`
  })
  const more = one.more ? ['and more'] : []
  const keyless = one.keyed ? [] : ['it has no key, so no row can be named']
  return [
    '',
    style.bold(plain(one.name)),
    ...[...absent, ...lacking, ...rows, ...more, ...keyless].map((line) => `  ${line}`),
  ]
}
