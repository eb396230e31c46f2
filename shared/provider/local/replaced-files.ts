import { statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** How many files are looked at before anything else of the process gets its turn: half a millisecond. */
const slice = 100

/**
 * Small files that are only ever replaced as a whole: written beside, then renamed. One that was read is read again
 * only where another file is in its place, so thousands of them cost one look each.
 */
export class ReplacedFiles<Content> {
  #known = new Map<string, { stamp: string; content: Content }>()
  readonly #read: (path: string) => Promise<Content | undefined>
  #listed: { stamp: string; contents: Content[] } | undefined

  constructor(read: (path: string) => Promise<Content | undefined>) {
    this.#read = read
  }

  /** What is in each of these files, undefined where it is not there. All others are forgotten. */
  async all(paths: readonly string[]): Promise<(Content | undefined)[]> {
    const now = new Map<string, { stamp: string; content: Content }>()
    const found: (Content | undefined)[] = []
    for (let from = 0; from < paths.length; from += slice) {
      if (from > 0) await setImmediate()
      // The stamp is older than the content: what is replaced in between is read again the next time.
      const stamped = paths.slice(from, from + slice).map((path) => ({ path, stamp: stampOf(path) }))
      const contents = await Promise.all(stamped.map((one) => this.#content(one)))
      for (const [i, content] of contents.entries()) {
        const { path, stamp } = stamped[i]!
        if (content !== undefined && stamp !== undefined) now.set(path, { stamp, content })
        found.push(content)
      }
    }
    this.#known = now
    return found
  }

  /**
   * What is in all of the files that `list` names and that are there.
   * @param stamp another one where the list may be another one, or a file of it; undefined where that is not known.
   * What was found under one stamp is found again without a look at any file.
   */
  async listed(stamp: string | undefined, list: () => Promise<string[]>): Promise<Content[]> {
    if (stamp !== undefined && this.#listed?.stamp === stamp) return this.#listed.contents
    const found = await this.all(await list())
    const contents = found.filter((content) => content !== undefined)
    // One that is not there yet comes without another stamp.
    this.#listed = stamp !== undefined && contents.length === found.length ? { stamp, contents } : undefined
    return contents
  }

  async #content({ path, stamp }: { path: string; stamp: string | undefined }): Promise<Content | undefined> {
    const known = this.#known.get(path)
    return known !== undefined && known.stamp === stamp ? known.content : this.#read(path)
  }
}

/**
 * Another one for another file: a new file has a number of its own while the old one is there, and a time
 * of its own after that.
 */
function stampOf(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true })
    return `${found.dev} ${found.ino} ${found.ctimeNs} ${found.size}`
  } catch {
    // The reader says why.
    return undefined
  }
}
