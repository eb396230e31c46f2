const headLines = 10
const tailLines = 40
const longestLine = 1000

/**
 * What a script says, both streams in the order it arrives, as people want to read it where the script failed: the
 * first ten and the last forty lines. However much is said, little is kept.
 */
export class Output {
  readonly #head: string[] = []
  #tail: string[] = []
  #dropped = 0
  readonly #open = { stdout: '', stderr: '' }
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }

  add(chunk: Uint8Array, from: 'stdout' | 'stderr'): void {
    const lines = (this.#open[from] + this.#decoders[from].decode(chunk, { stream: true })).split('\n')
    this.#open[from] = cut(lines.pop() ?? '')
    for (const line of lines) this.#line(cut(line))
  }

  toString(): string {
    for (const from of ['stdout', 'stderr'] as const) {
      if (this.#open[from] !== '') this.#line(this.#open[from])
      this.#open[from] = ''
    }
    const all = this.#tail.length - tailLines
    const tail = all > 0 ? this.#tail.slice(all) : this.#tail
    const left = this.#dropped + Math.max(0, all)
    return [...this.#head, ...(left > 0 ? [`[... ${left} lines left out ...]`] : []), ...tail].join('\n')
  }

  #line(line: string): void {
    if (this.#head.length < headLines) {
      this.#head.push(line)
      return
    }
    this.#tail.push(line)
    if (this.#tail.length < 10 * tailLines) return
    this.#dropped += this.#tail.length - tailLines
    this.#tail = this.#tail.slice(-tailLines)
  }
}

function cut(line: string): string {
  return line.length > longestLine ? `${line.slice(0, longestLine)}...` : line
}
