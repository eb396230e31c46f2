const side = 64 * 1024

/** Keeps the first and the last 64 KiB of a stream, so that a command may say as much as it likes. */
export class BoundedOutput {
  #head: Buffer[] = []
  #headLength = 0
  #tail: Buffer[] = []
  #tailLength = 0
  #left = 0

  add(chunk: Buffer): void {
    const forHead = chunk.subarray(0, side - this.#headLength)
    if (forHead.length) {
      // A copy: the chunk may be a corner of a large receive buffer.
      this.#head.push(Buffer.from(forHead))
      this.#headLength += forHead.length
    }
    if (forHead.length === chunk.length) return
    this.#tail.push(Buffer.from(chunk.subarray(forHead.length)))
    this.#tailLength += chunk.length - forHead.length
    if (this.#tailLength > 4 * side) this.#cut()
  }

  #cut(): void {
    const all = Buffer.concat(this.#tail)
    const left = Math.max(0, all.length - side)
    this.#left += left
    this.#tail = [Buffer.from(all.subarray(left))]
    this.#tailLength = all.length - left
  }

  toString(): string {
    this.#cut()
    const head = Buffer.concat(this.#head)
    const tail = Buffer.concat(this.#tail)
    if (this.#left === 0) return Buffer.concat([head, tail]).toString()
    return `${head.toString()}\n[... ${this.#left} bytes left out ...]\n${tail.toString()}`
  }
}
