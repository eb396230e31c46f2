import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { parse } from 'yaml'
import { scriptPath } from '../../shared/provider/layout.ts'

/** Package -> what it depends on, as the specs of a release directory say it. */
export async function dependenciesOf(release: string): Promise<Map<string, readonly string[]>> {
  const names = (await readdir(join(release, 'packages'))).sort()
  const specs = await Promise.all(names.map((name) => readFile(join(release, 'packages', name, 'spec'), 'utf8')))
  return new Map(names.map((name, i) => [name, (parse(specs[i]!) as { dependencies: string[] }).dependencies]))
}

/** How many packages stand on top of each other at most. */
export function levelsOf(graph: ReadonlyMap<string, readonly string[]>): number {
  const level = (name: string): number => 1 + Math.max(0, ...graph.get(name)!.map(level))
  return Math.max(...[...graph.keys()].map(level))
}

/**
 * Milliseconds that `make` takes for all packages of a release: one target a package, its dependencies before it, the
 * same packaging script with the same variables as on a compile VM. Sources lie unpacked before the clock starts.
 */
export async function makespan(release: string, jobs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-make-'))
  try {
    const graph = await dependenciesOf(release)
    await mkdir(join(folder, 'packages'))
    for (const name of graph.keys()) {
      await cp(join(release, 'src', name), join(folder, 'compile', name, name), { recursive: true })
      await cp(join(release, 'packages', name, 'packaging'), join(folder, 'compile', name, 'packaging'))
    }
    await writeFile(join(folder, 'Makefile'), makefile(folder, graph))
    const started = performance.now()
    await execa('make', ['--silent', `--jobs=${jobs}`, 'all'], { cwd: folder })
    return performance.now() - started
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function makefile(folder: string, graph: ReadonlyMap<string, readonly string[]>): string {
  const rules = [...graph].map(([name, dependencies]) => {
    const [source, target] = [join(folder, 'compile', name), join(folder, 'packages', name)]
    // Nothing else in the environment: a make inside a package must not ask this one for its jobs.
    const variables = [
      `PATH=${scriptPath}`,
      `BOSH_COMPILE_TARGET=${source}`,
      `BOSH_INSTALL_TARGET=${target}`,
      `BOSH_PACKAGE_NAME=${name}`,
      'BOSH_PACKAGE_VERSION=1',
    ]
    const script = `cd ${source} && mkdir ${target} && env -i ${variables.join(' ')} /bin/bash -x packaging`
    return `${name}: ${dependencies.join(' ')}\n\t@{ ${script}; } > ${source}/log 2>&1 || { tail -n 40 ${source}/log >&2; exit 1; }\n`
  })
  const names = [...graph.keys()].join(' ')
  return `.PHONY: all ${names}\nall: ${names}\n${rules.join('')}`
}
