import { globSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServiceName } from '../support/services.ts'

const root = new URL('../..', import.meta.url).pathname

export interface Failpoint {
  name: string
  /** `services/compiler/pool.ts:100`. */
  at: string
  /** The service that reaches it. A point in `shared/` is reached by the service that calls it. */
  service: ServiceName
}

/**
 * Points that stand in `shared/`: the planner alone stores, opens and puts away plans; fences are shown to machines by
 * the assembler that begins a remodel, or by the planner.
 */
const sharedBy: Record<string, ServiceName> = {
  'ledger.': 'planner',
  'reservations.': 'planner',
  'history.': 'planner',
  'owed.': 'planner',
  'archive.': 'assembler',
}

/**
 * Every failpoint of the sources, found by its call. Throws where two have one name, where a name is no literal, or
 * where no service is known that reaches it.
 */
export function listFailpoints(): Failpoint[] {
  const found: Failpoint[] = []
  const files = globSync(['shared/**/*.ts', 'kinds/**/*.ts', 'services/**/*.ts'], { cwd: root }).sort()
  for (const file of files.filter((name) => name !== 'shared/runtime/failpoint.ts')) {
    const text = readFileSync(join(root, file), 'utf8')
    for (const match of text.matchAll(/\bfailpoint\((?:'([^']+)')?/g)) {
      const at = `${file}:${text.slice(0, match.index).split('\n').length}`
      const name = match[1]
      if (name === undefined) throw new Error(`${at}: the name of a failpoint is a literal`)
      if (found.some((one) => one.name === name)) throw new Error(`${at}: there is another failpoint ${name}`)
      found.push({ name, at, service: serviceOf(file, name, at) })
    }
  }
  return found
}

function serviceOf(file: string, name: string, at: string): ServiceName {
  const [top, folder, half] = file.split('/')
  if (top === 'services') return folder as ServiceName
  if (top === 'kinds') return half === 'plan' ? 'planner' : 'assembler'
  const prefix = Object.keys(sharedBy).find((start) => name.startsWith(start))
  if (!prefix) throw new Error(`${at}: who reaches ${name}? Say it in sharedBy`)
  return sharedBy[prefix]!
}

/**
 * Points that no deploy of a kind passes for certain: a worker that is older than the plan, a step that has to wait.
 */
const simulated = ['assembler.not-mine', 'assembler.waits']

/**
 * Which suite kills at a point, by where it stands. What a kind of its own brings is reached by its deploys only, so
 * its own suite kills there, with the list it takes from `failpointsOf`. Everything else belongs to `deployment`:
 * `every-failpoint.test.ts`.
 */
export function suiteOf({ at, name }: Pick<Failpoint, 'at' | 'name'>): string {
  if (simulated.includes(name)) return 'simulator'
  return /^kinds\/(?!contract\/)([^/]+)\//.exec(at)?.[1] ?? 'deployment'
}

/** The points that the suite of a kind has to kill at. */
export function failpointsOf(kind: string): Failpoint[] {
  return listFailpoints().filter((point) => suiteOf(point) === kind)
}

/** Kinds whose suite takes its list from `failpointsOf`, so that a new point is killed at or fails it. */
export function suitesOfKinds(): string[] {
  const texts = globSync('test/**/*.test.ts', { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'))
  return texts.flatMap((text) => [...text.matchAll(/\bfailpointsOf\('([^']+)'\)/g)].map(([, kind]) => kind!))
}

/** How often each failpoint killed a process, by the marks that dying processes left in `folder` (`<name>.<pid>`). */
export async function killedAt(folder: string): Promise<Map<string, number>> {
  const counts = new Map(listFailpoints().map(({ name }) => [name, 0]))
  for (const mark of await readdir(folder).catch(() => [])) {
    const name = mark.slice(0, mark.lastIndexOf('.'))
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** The coverage report as lines: name, where it stands, how often it was killed. */
export function coverageReport(counts: ReadonlyMap<string, number>): string[] {
  return listFailpoints().map(({ name, at, service }) => {
    const times = counts.get(name) ?? 0
    return `${times > 0 ? 'killed' : 'NEVER '} ${String(times).padStart(4)}  ${name.padEnd(26)} ${service.padEnd(10)} ${at}`
  })
}

if (import.meta.main) {
  const folder = process.argv[2]
  console.log(coverageReport(folder ? await killedAt(folder) : new Map()).join('\n'))
}
