import { existsSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../runtime/errors.ts'
import { invalidInput, type SourceDocument } from '../source/document.ts'
import { fingerprint } from './fingerprint.ts'
import { compileGlob, type Glob } from './glob.ts'
import type { LocalPackage } from './local-release.ts'
import { keepsPlace, type Listed, mapFiles, type SourceFile, type SourceTree } from './source-tree.ts'
import { misspeltKeys, PackageLock, PackageSpec } from './spec.ts'
import { readSpecFile } from './yaml-text.ts'

export interface ReadPackage {
  pack: LocalPackage
  document: SourceDocument
  warnings: Fault[]
}

const KNOWN = Object.keys(PackageSpec.shape)

/**
 * Reads `packages/<folder>`. A `spec.lock` wins over a `spec`. Throws `invalid-input` with every fault of the package.
 * Rules: bosh-cli `release/pkg/dir_reader.go`.
 */
export async function readPackageDirectory(directory: string, folder: string, tree: SourceTree): Promise<ReadPackage> {
  const below = join('packages', folder)
  const lock = join(directory, below, 'spec.lock')
  if (existsSync(lock)) {
    const document = await readSpecFile(lock)
    const spec = document.parse(PackageLock)
    const { name, fingerprint: locked, dependencies } = spec
    const pack = { name, fingerprint: locked, dependencies, folder, files: [], vendored: true, compress: true }
    return { pack, document, warnings: [] }
  }
  const file = join(directory, below, 'spec')
  if (!existsSync(file)) throw invalidInput([{ file, message: `${join(below, 'spec')} does not exist` }])
  const document = await readSpecFile(file)
  const spec = document.parse(PackageSpec)
  const faults: Fault[] = []
  const warnings = misspeltKeys(document, KNOWN)
  const listed = select(spec, document, tree, faults)
  if (!existsSync(join(directory, below, 'packaging'))) {
    faults.push(document.fault([], `${join(below, 'packaging')} does not exist`))
  }
  const scripts = await readScripts(directory, below, tree, (name) =>
    warnings.push(
      document.fault([], `${join(below, name)} is left out, since src or ${below} is a link to another depth`),
    ),
  )
  const files = await mapFiles(listed, async (one) => {
    const read = await tree.read(one)
    checkBlob(one, read, join(directory, 'config/blobs.yml'), faults)
    return read
  })
  if (faults.length > 0) throw invalidInput(faults)
  const all = [...scripts, ...files]
  const pack = {
    name: spec.name,
    fingerprint: fingerprint(all, spec.dependencies),
    dependencies: spec.dependencies,
    folder,
    files: all,
    vendored: false,
    compress: !spec.no_compression,
  }
  return { pack, document, warnings }
}

function select(spec: PackageSpec, document: SourceDocument, tree: SourceTree, faults: Fault[]): Listed[] {
  const compile = (key: 'files' | 'excluded_files') =>
    spec[key].map((pattern, index): Glob => {
      const glob = compileGlob(pattern)
      if (typeof glob === 'function') return glob
      faults.push(document.fault([key, index], glob.problem, { found: pattern }))
      return () => false
    })
  const chosen = new Map<string, Listed>()
  for (const [index, glob] of compile('files').entries()) {
    const matches = tree.match(glob)
    if (matches.length === 0 && typeof compileGlob(spec.files[index]!) === 'function') {
      faults.push(document.fault(['files', index], 'no file of src or blobs matches', { found: spec.files[index]! }))
    }
    for (const file of matches) chosen.set(file.path, file)
  }
  for (const glob of compile('excluded_files')) for (const file of tree.match(glob)) chosen.delete(file.path)
  for (const special of ['packaging', 'pre_packaging']) {
    if (chosen.has(special)) {
      faults.push(
        document.fault(['files'], `"${special}" is the script of the package and may not come from src or blobs`),
      )
    }
  }
  return [...chosen.values()]
}

async function readScripts(directory: string, below: string, tree: SourceTree, leftOut: (name: string) => void) {
  const inPlace = await keepsPlace(directory, below)
  const scripts: SourceFile[] = []
  for (const name of ['packaging', 'pre_packaging']) {
    const source = join(directory, below, name)
    if (!existsSync(source)) continue
    const facts = await lstat(source)
    if (facts.isDirectory() || !(inPlace || facts.isSymbolicLink())) leftOut(name)
    else scripts.push({ ...(await tree.readFile(name, source)), mode: null })
  }
  return scripts
}

function checkBlob(listed: Listed, read: SourceFile, file: string, faults: Fault[]): void {
  const blob = listed.blob
  if (!blob?.objectId) return
  if (read.sha256 === '') {
    faults.push({
      file,
      path: blob.path,
      message: 'the blob is not downloaded and its sha256 is not known',
      found: blob.sha,
    })
  } else if (blob.sha256 !== undefined && blob.sha256 !== read.sha256) {
    faults.push({
      file,
      path: blob.path,
      message: 'the file in blobs is not the listed one',
      found: read.sha256,
      allowed: blob.sha256,
    })
  }
}
