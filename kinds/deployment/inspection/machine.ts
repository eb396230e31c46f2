import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { changedBelow, findChangedFiles } from '../deployed-files.ts'
import type { InstanceAttributes } from '../inputs.ts'

const patienceMs = 10_000

/** One line for each thing that deploys put on a machine, with what is there now. */
const script = `
for at in "$1"/* "$2"/*; do
  if [ -L "$at" ] && [ -e "$at" ]; then echo "link $at $(readlink "$at")"; fi
done
cat "$1"/*/monit "$1"/*/*.monit 2>/dev/null |
  sed -n "s/^[[:space:]]*check[[:space:]]\\{1,\\}process[[:space:]]\\{1,\\}[\\"']\\{0,1\\}\\([^[:space:]\\"']\\{1,\\}\\).*/process \\1/p"
if [ -e "$3" ]; then
  echo "table $(head -c 40 "$3")"
  echo "hosts $(grep -o '"host":' "$3" | wc -l) $(grep -c '\\.remodel' /etc/hosts)"
fi
grep -q ' ${layout.store} ' /proc/self/mounts && echo disk
${findChangedFiles}
true
`

/** What is expected of a machine beside that its processes run. */
export interface Expected {
  attributes: InstanceAttributes
  /** Digest of the address table that all machines of the deployment have; null where none was published. */
  table: string | null
  /** Whether the instance has a persistent disk. */
  disk: boolean
}

/**
 * What is on a machine and not as deploys left it, each as the rest of a sentence. A machine that
 * does not answer has none.
 */
export async function lookAtMachine(provider: Provider, cid: string, expected: Expected): Promise<string[]> {
  const seen = await ask(provider, cid).catch(() => null)
  return seen === null ? [] : compare(seen, expected)
}

interface Seen {
  lines: string[]
  supervised: Set<string>
  /** Names of processes. */
  running: string[]
}

async function ask(provider: Provider, cid: string): Promise<Seen> {
  const connection: Connection = await provider.connect(cid, null)
  try {
    const argv = ['/bin/sh', '-c', script, 'sh', layout.jobs, layout.packages, `${layout.instance}/dns/records.json`]
    const [{ stdout }, processes] = await Promise.all([
      connection.exec(argv, { timeoutMs: patienceMs }),
      connection.status(),
    ])
    const running = processes.flatMap(({ name, state }) => (state === 'stopped' ? [] : [name]))
    return { lines: stdout.split('\n'), supervised: new Set(processes.map(({ name }) => name)), running }
  } finally {
    connection.close()
  }
}

function compare({ lines, supervised, running }: Seen, { attributes, table, disk }: Expected): string[] {
  // All else is brought up to date when it is started.
  if (attributes.intents?.includes('stopped')) return running.map((name) => `runs process ${name}, and is stopped`)
  const found = new Set(lines)
  const ofKind = (
    what: string,
    wanted: Record<string, string>,
    folder: string,
    data: (name: string, of: string) => string,
  ) => {
    const changed = changedBelow(lines, folder)
    return Object.entries(wanted).flatMap(([name, of]) => {
      const linked = found.has(`link ${folder}/${name} ${data(name, of)}`)
      const files = changed.get(name)
      if (linked && files === undefined) return []
      return [`does not have ${what} ${name} as it was deployed${linked ? `: ${files}` : ''}`]
    })
  }
  const wrong = [
    ...ofKind('job', attributes.configuration, layout.jobs, layout.jobData),
    ...ofKind('package', attributes.packages, layout.packages, layout.packageData),
  ]
  const named = lines.filter((line) => line.startsWith('process ')).map((line) => line.slice('process '.length))
  const alone = named.filter((name) => !supervised.has(name))
  if (attributes.state === 'started') wrong.push(...alone.map((name) => `does not look after process ${name}`))
  if (table !== null && !knowsTable(lines, table)) wrong.push('does not have the addresses that were published')
  if (disk && !found.has('disk')) wrong.push('has no disk at its store')
  return wrong
}

/**
 * The version of a table is the beginning of its digest; programs find as many names in `/etc/hosts`
 * as jobs do in the table.
 */
function knowsTable(lines: readonly string[], table: string): boolean {
  const version = `"version":"${table.replace('sha256:', '').slice(0, 12)}"`
  const [, records, hosts] = lines.find((line) => line.startsWith('hosts '))?.split(' ') ?? []
  return lines.some((line) => line.startsWith('table ') && line.includes(version)) && Number(hosts) >= Number(records)
}
