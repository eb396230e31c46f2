import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Name, VersionName } from '../model/names.ts'
import { type Fault, RemodelError } from '../runtime/errors.ts'
import { invalidInput, SourceDocument, suggest } from '../source/document.ts'
import { type BlobEntry, readBlobsIndex } from './blobs-index.ts'
import { byteOrder, fingerprint } from './fingerprint.ts'
import { readJobDirectory } from './job-directory.ts'
import type { LocalRelease } from './local-release.ts'
import { type ReadPackage, readPackageDirectory } from './package-directory.ts'
import { findCycle } from './package-graph.ts'
import { SourceTree } from './source-tree.ts'

export interface ReadReleaseOptions {
  /** Default: the name in `config/final.yml`. */
  name?: string
  /**
   * Default: `dev+` and 12 hex digits of a digest over all fingerprints, so that equal content has an equal version.
   */
  version?: string
  /**
   * Packages that need each other in a circle cannot be compiled, though BOSH's `create-release` lets them
   * pass. Default: refuse.
   */
  cycles?: 'refuse' | 'keep'
}

const Config = z
  .looseObject({ name: z.string().pipe(Name).nullish(), final_name: z.string().pipe(Name).nullish() })
  .nullable()

/**
 * Reads a release directory in BOSH's format. Throws `invalid-input` with all faults of all its files at once.
 * Nothing is written and no script is run.
 */
export async function readReleaseDirectory(directory: string, options: ReadReleaseOptions = {}): Promise<LocalRelease> {
  const faults: Fault[] = []
  const collect = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
      faults.push(...error.faults)
      return undefined
    }
  }
  if (!(await isDirectory(directory))) throw invalidInput([{ file: directory, message: 'is not a directory' }])

  const name = options.name ?? (await collect(() => readName(directory)))
  for (const [path, rule, given] of [
    ['name', Name, options.name],
    ['version', VersionName, options.version],
  ] as const) {
    if (given === undefined) continue
    const wrong = rule.safeParse(given).error?.issues[0]
    if (wrong) faults.push({ file: directory, path, message: wrong.message, found: given })
  }
  const blobs = (await collect(() => readBlobs(directory))) ?? []
  const tree = await SourceTree.open(directory, blobs)
  const packages: ReadPackage[] = []
  for (const folder of await folders(join(directory, 'packages'))) {
    const read = await collect(() => readPackageDirectory(directory, folder, tree))
    if (read) packages.push(read)
  }
  const jobFolders = await folders(join(directory, 'jobs'))
  const jobs = (
    await Promise.all(jobFolders.map((folder) => collect(() => readJobDirectory(directory, folder, tree))))
  ).filter((job) => job !== undefined)

  // A package whose own spec is broken is still known by its folder: no second fault for those who need it.
  const known = new Set([...packages.map(({ pack }) => pack.name), ...(await unread(directory, packages))])
  for (const { pack, document } of packages)
    faults.push(...unknownNames(document, 'dependencies', pack.dependencies, known))
  for (const { job, document } of jobs) faults.push(...unknownNames(document, 'packages', job.packages, known))
  faults.push(...twice(packages))
  if (options.cycles !== 'keep') faults.push(...cycles(packages))
  if (faults.length > 0 || name === undefined) throw invalidInput(faults.sort(byPlace))

  const license = await readLicense(directory, tree)
  const sortedPackages = packages.map(({ pack }) => pack).sort((a, b) => byteOrder(a.name, b.name))
  const sortedJobs = jobs.map(({ job }) => job).sort((a, b) => byteOrder(a.name, b.name))
  const content = JSON.stringify([
    name,
    sortedPackages.map((pack) => [pack.name, pack.fingerprint, pack.dependencies]),
    sortedJobs.map((job) => [job.name, job.fingerprint]),
    license ?? null,
  ])
  return {
    directory,
    name,
    version: options.version ?? `dev+${createHash('sha256').update(content).digest('hex').slice(0, 12)}`,
    packages: sortedPackages,
    jobs: sortedJobs,
    ...(license === undefined ? {} : { license }),
    warnings: [...packages, ...jobs].flatMap((one) => one.warnings),
  }
}

async function readName(directory: string): Promise<string> {
  const file = join(directory, 'config/final.yml')
  if (!existsSync(file)) throw invalidInput([{ file, message: 'does not exist; it gives the release its name' }])
  const document = new SourceDocument(file, await readFile(file, 'utf8'))
  const config = document.parse(Config)
  const name = config?.name ?? config?.final_name
  if (!name) throw invalidInput([document.fault(['name'], 'is missing')])
  return name
}

async function readBlobs(directory: string): Promise<BlobEntry[]> {
  const file = join(directory, 'config/blobs.yml')
  return existsSync(file) ? readBlobsIndex(new SourceDocument(file, await readFile(file, 'utf8'))) : []
}

async function readLicense(directory: string, tree: SourceTree): Promise<string | undefined> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && /^(LICENSE|NOTICE)/.test(entry.name))
    .map((entry) => entry.name)
  if (names.length === 0) return undefined
  const files = await Promise.all(names.map((name) => tree.readFile(name, join(directory, name))))
  return fingerprint(files.map((file) => ({ ...file, mode: null })))
}

async function folders(root: string): Promise<string[]> {
  if (!(await isDirectory(root))) return []
  const names = (await readdir(root)).sort(byteOrder)
  const kept = await Promise.all(names.map((name) => isDirectory(join(root, name))))
  return names.filter((_, index) => kept[index])
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

async function unread(directory: string, packages: readonly ReadPackage[]): Promise<string[]> {
  const read = new Set(packages.map(({ pack }) => pack.folder))
  return (await folders(join(directory, 'packages'))).filter((folder) => !read.has(folder))
}

function unknownNames(
  document: SourceDocument,
  key: string,
  names: readonly string[],
  known: ReadonlySet<string>,
): Fault[] {
  const allowed = [...known].sort(byteOrder)
  return names.flatMap((name, index) =>
    known.has(name)
      ? []
      : [
          document.fault([key, index], `the release has no package "${name}"`, {
            found: name,
            ...(allowed.length > 0 ? { allowed: allowed.join(', ') } : {}),
            ...suggest(name, allowed),
          }),
        ],
  )
}

function twice(packages: readonly ReadPackage[]): Fault[] {
  const folderOf = new Map<string, string>()
  return packages.flatMap(({ pack, document }) => {
    const other = folderOf.get(pack.name)
    folderOf.set(pack.name, pack.folder)
    return other === undefined
      ? []
      : [document.fault(['name'], `packages/${other} has this name already`, { found: pack.name })]
  })
}

/** One fault for each circle, at the dependency that closes it. */
function cycles(packages: readonly ReadPackage[]): Fault[] {
  const byName = new Map(packages.map((read) => [read.pack.name, read]))
  const waiting = new Map(
    packages.map(({ pack }) => [pack.name, new Set(pack.dependencies.filter((name) => byName.has(name)))]),
  )
  const faults: Fault[] = []
  for (;;) {
    for (let settled = true; settled; ) {
      settled = false
      for (const [name, needs] of waiting) {
        if ([...needs].some((need) => waiting.has(need))) continue
        waiting.delete(name)
        settled = true
      }
    }
    const cycle = findCycle(waiting)
    if (!cycle) return faults
    const last = byName.get(cycle.at(-2)!)!
    faults.push(
      last.document.fault(
        ['dependencies', last.pack.dependencies.indexOf(cycle.at(-1)!)],
        `packages need each other in a circle: ${cycle.join(' -> ')}`,
        {
          found: cycle.at(-1)!,
        },
      ),
    )
    waiting.get(last.pack.name)!.delete(cycle.at(-1)!)
  }
}

function byPlace(a: Fault, b: Fault): number {
  return byteOrder(a.file ?? '', b.file ?? '') || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
