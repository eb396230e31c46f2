import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { parse } from 'yaml'
import { readBlobsIndex } from '../../shared/release/blobs-index.ts'
import { readJobDirectory } from '../../shared/release/job-directory.ts'
import { readPackageDirectory } from '../../shared/release/package-directory.ts'
import { SourceTree } from '../../shared/release/source-tree.ts'
import { compareVersions } from '../../shared/release/version.ts'
import { describeFault, RemodelError, toError } from '../../shared/runtime/errors.ts'
import { SourceDocument } from '../../shared/source/document.ts'

/**
 * Whether the fingerprints of real releases come out, computed from their git trees:
 *
 *     node test/long/fingerprints.ts <folder of git repositories> [--versions 3] [--json]
 *
 * Of every repository, plain or bare, the newest final versions (`releases/<name>/<name>-<version>.yml`) are taken,
 * each at the commit that brought it; their packages and jobs are read as `upload-release` reads a directory. Nothing
 * is downloaded: a blob enters a fingerprint by the digest in `config/blobs.yml`. Exit code 1 below 95 %.
 */
interface Result {
  repository: string
  version: string
  kind: 'package' | 'job'
  name: string
  /** Null where it came out as published. */
  reason: string | null
}

const target = 0.95

async function main(args: string[]): Promise<number> {
  const [folder] = args
  if (folder === undefined) {
    process.stderr.write('usage: fingerprints.ts <folder of git repositories> [--versions 3] [--json]\n')
    return 2
  }
  const at = args.indexOf('--versions')
  const versions = at < 0 ? 3 : Number(args[at + 1])
  const results: Result[] = []
  for (const repository of await repositories(folder)) results.push(...(await check(repository, versions)))
  tell(results, args.includes('--json'))
  return results.filter((one) => one.reason === null).length >= results.length * target ? 0 : 1
}

interface Repository {
  name: string
  /** Git directory. */
  git: string
}

async function repositories(folder: string): Promise<Repository[]> {
  const found: Repository[] = []
  for (const name of (await readdir(folder)).sort()) {
    const places = [name, join(name, '.git'), join(name, 'repo'), join(name, 'repo/.git')]
    const git = places.map((place) => join(folder, place)).find((place) => existsSync(join(place, 'objects')))
    if (git !== undefined) found.push({ name: name.replace(/^.*\+/, ''), git })
  }
  return found
}

async function check(repository: Repository, versions: number): Promise<Result[]> {
  const git = async (...args: string[]) => (await execa('git', ['--git-dir', repository.git, ...args])).stdout
  const listed = (await git('ls-tree', '-r', '--name-only', 'HEAD', 'releases/')).split('\n')
  const manifests = listed
    .flatMap((path) => {
      const [, name, version] = /^releases\/(?:([^/]+)\/)?\1-(\d[^/]*)\.yml$/.exec(path) ?? []
      return name === undefined || version === undefined ? [] : [{ path, name, version }]
    })
    .sort((a, b) => compareVersions(b.version, a.version))
    .slice(0, versions)
  const results: Result[] = []
  for (const { path, version } of manifests) {
    const commit = (await git('log', '-1', '--diff-filter=A', '--format=%H', 'HEAD', '--', path)).trim()
    if (commit === '') continue
    const manifest = parse(await git('show', `${commit}:${path}`), { schema: 'failsafe' }) as Published
    const directory = await mkdtemp(join(tmpdir(), 'remodel-fingerprints-'))
    try {
      await checkOut(repository.git, commit, directory)
      const modules = (await git('ls-tree', '-r', commit)).split('\n').filter((line) => line.startsWith('160000 '))
      const submodules = modules.map((line) => line.slice(line.indexOf('\t') + 1))
      results.push(...(await compare(directory, manifest, { repository: repository.name, version }, submodules)))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  return results
}

/** Through an index of its own, so that nothing of the repository is touched. */
async function checkOut(git: string, commit: string, directory: string): Promise<void> {
  const env = { GIT_DIR: git, GIT_INDEX_FILE: join(directory, '.index'), GIT_WORK_TREE: directory }
  await execa('git', ['read-tree', commit], { env })
  await execa('git', ['checkout-index', '--all', '--force'], { env, cwd: directory })
  await rm(join(directory, '.index'), { force: true })
}

interface Published {
  packages?: { name: string; fingerprint: string }[]
  jobs?: { name: string; fingerprint: string }[]
}

async function compare(
  directory: string,
  published: Published,
  at: { repository: string; version: string },
  submodules: readonly string[],
): Promise<Result[]> {
  const file = join(directory, 'config/blobs.yml')
  const blobs = existsSync(file) ? readBlobsIndex(new SourceDocument(file, await readFile(file, 'utf8'))) : []
  const tree = await SourceTree.open(directory, blobs)
  const results: Result[] = []
  const judge = async (kind: Result['kind'], name: string, wanted: string, read: () => Promise<string>) => {
    // The first algorithm made shorter ones, which are not made any more.
    if (!/^[0-9a-f]{64}$/.test(wanted)) return
    const reason = await read().then(
      (found) => (found === wanted ? null : 'another fingerprint comes out'),
      (error: unknown) => reasonOf(error, directory),
    )
    const hint = reason !== null && submodules.length > 0 ? `; the tree lacks its submodules ${shown(submodules)}` : ''
    results.push({ ...at, kind, name, reason: reason === null ? null : reason + hint })
  }
  for (const { name, fingerprint } of published.packages ?? []) {
    await judge(
      'package',
      name,
      fingerprint,
      async () => (await readPackageDirectory(directory, name, tree)).pack.fingerprint,
    )
  }
  for (const { name, fingerprint } of published.jobs ?? []) {
    await judge('job', name, fingerprint, async () => (await readJobDirectory(directory, name, tree)).job.fingerprint)
  }
  return results
}

function reasonOf(error: unknown, directory: string): string {
  const [first] = error instanceof RemodelError ? error.faults : []
  const text = first ? describeFault(first) : toError(error).message
  return text.replaceAll(`${directory}/`, '')
}

function shown(submodules: readonly string[]): string {
  const names = submodules.slice(0, 3).map((path) => basename(path))
  return submodules.length > 3 ? `${names.join(', ')} and ${submodules.length - 3} more` : names.join(', ')
}

function tell(results: readonly Result[], json: boolean): void {
  const summary = [...Map.groupBy(results, (one) => one.repository)].map(([repository, own]) => ({
    repository,
    versions: [...new Set(own.map((one) => one.version))],
    tried: own.length,
    reproduced: own.filter((one) => one.reason === null).length,
  }))
  const failed = results.filter((one) => one.reason !== null)
  if (json) {
    process.stdout.write(`${JSON.stringify({ summary, tried: results.length, failed }, null, 2)}\n`)
    return
  }
  for (const { repository, versions, tried, reproduced } of summary) {
    process.stdout.write(
      `${repository.padEnd(36)} ${String(reproduced).padStart(5)} of ${tried}  ${versions.join(', ')}\n`,
    )
  }
  for (const { repository, version, kind, name, reason } of failed) {
    process.stdout.write(`  ${repository} ${version}, ${kind} ${name}: ${reason}\n`)
  }
  const share = (100 * (results.length - failed.length)) / Math.max(1, results.length)
  process.stdout.write(`${results.length - failed.length} of ${results.length} reproduced: ${share.toFixed(1)} %\n`)
}

process.exitCode = await main(process.argv.slice(2))
