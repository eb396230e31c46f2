import { createHash, hash as oneShot } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { BlobEntry } from './blobs-index.ts'
import type { FileMode } from './fingerprint.ts'
import type { Glob } from './glob.ts'

/** A file of a release directory that goes into an archive. */
export interface SourceFile {
  /** Path inside the archive. */
  path: string
  /** Where its bytes are. */
  source: string
  sha256: string
  mode: FileMode | null
  /** Target text, where the mode is `symlink`. */
  target?: string
  /** A blob that was not downloaded: its digest is known, its bytes are not here. */
  absent?: BlobEntry
}

/** A file as it was found, before its bytes are read. */
export interface Listed {
  path: string
  source: string
  link: boolean
  dangling: boolean
  blob?: BlobEntry
  absent?: boolean
}

/**
 * What package specs can name: the files below `src`, and the listed files below `blobs`; `src` wins for the same path.
 * Links are leaves: a file behind a link to a directory is never found. Everything is listed once and digested once.
 */
export class SourceTree {
  readonly #files: Listed[]
  readonly #digests = new Map<string, Promise<string>>()

  private constructor(files: Listed[]) {
    this.#files = files
  }

  static async open(directory: string, blobs: readonly BlobEntry[]): Promise<SourceTree> {
    const src = await list(join(directory, 'src'))
    const seen = new Set(src.map((file) => file.path))
    const stored = new Map((await list(join(directory, 'blobs'))).map((file) => [file.path, file]))
    // BOSH leaves out regular files of `blobs` where `src` or `blobs` is a link that changes their relative place.
    const inPlace = !existsSync(join(directory, 'blobs')) || (await keepsPlace(directory, 'blobs'))
    const usable = blobs.flatMap((blob): Listed[] => {
      if (seen.has(blob.path)) return []
      const file = stored.get(blob.path)
      if (file) return file.link || inPlace ? [{ ...file, blob }] : []
      // Without an object id it can never be fetched.
      if (!blob.objectId || !inPlace) return []
      return [
        {
          path: blob.path,
          source: join(directory, 'blobs', blob.path),
          link: false,
          dangling: false,
          blob,
          absent: true,
        },
      ]
    })
    return new SourceTree([...src, ...usable])
  }

  match(glob: Glob): Listed[] {
    return this.#files.filter((file) => glob(file.path, file.dangling))
  }

  async read(file: Listed): Promise<SourceFile> {
    if (file.absent && file.blob) {
      return { path: file.path, source: file.source, sha256: file.blob.sha256 ?? '', mode: '100644', absent: file.blob }
    }
    return this.readFile(file.path, file.source)
  }

  /** A file as packages take it: links are kept as links. */
  async readFile(path: string, source: string): Promise<SourceFile> {
    const facts = await lstat(source)
    if (!facts.isSymbolicLink())
      return { path, source, sha256: await this.#digest(source, facts.size), mode: modeOf(facts.mode) }
    const target = await readlink(source)
    return { path, source, sha256: createHash('sha256').update(target).digest('hex'), mode: 'symlink', target }
  }

  /** A file as jobs take it: links are followed for the content, and the mode is the one of the link. */
  async readFollowed(path: string, source: string): Promise<SourceFile> {
    const { size } = await stat(source)
    return { path, source, sha256: await this.#digest(source, size), mode: modeOf((await lstat(source)).mode) }
  }

  #digest(source: string, size: number): Promise<string> {
    let digest = this.#digests.get(source)
    if (!digest) {
      digest = sha256Of(source, size)
      this.#digests.set(source, digest)
    }
    return digest
  }
}

/** Maps with at most 32 files open at once. */
export async function mapFiles<From, To>(list: readonly From[], read: (one: From) => Promise<To>): Promise<To[]> {
  const results: To[] = []
  for (let at = 0; at < list.length; at += 32) results.push(...(await Promise.all(list.slice(at, at + 32).map(read))))
  return results
}

/**
 * Whether regular files below `below` keep their place relative to `src` once all links are resolved; BOSH silently
 * takes only such files, even for `packaging`.
 */
export async function keepsPlace(directory: string, below: string): Promise<boolean> {
  const src = join(directory, 'src')
  const other = join(directory, below)
  try {
    // Git keeps no empty folder: a release whose packages name no files may come without `src`.
    const real = existsSync(src) ? await realpath(src) : join(await realpath(directory), 'src')
    return relative(src, other) === relative(real, await realpath(other))
  } catch {
    return false
  }
}

function modeOf(mode: number): FileMode {
  return (mode & 0o111) === 0 ? '100644' : '100755'
}

/** Above this a file is not read into memory at once; below, one read is several times faster than a stream. */
const SMALL = 1024 * 1024

async function sha256Of(source: string, size: number): Promise<string> {
  if (size <= SMALL) return oneShot('sha256', await readFile(source))
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(source)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function list(root: string): Promise<Listed[]> {
  let real: string
  try {
    real = await realpath(root)
  } catch {
    return []
  }
  const entries = await readdir(real, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink())
  return Promise.all(
    files.map(async (entry) => {
      const source = join(entry.parentPath, entry.name)
      const link = entry.isSymbolicLink()
      const dangling =
        link &&
        (await stat(source).then(
          () => false,
          () => true,
        ))
      return { path: relative(real, source), source, link, dangling }
    }),
  )
}
