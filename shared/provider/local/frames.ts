/**
 * The frames of agent.sock: `u32 length (little endian), u8 type, payload`. The protocol is
 * described in agent/remodel.h.
 */
export interface Frame {
  type: string
  payload: Buffer
}

export function encodeFrame(type: string, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32LE(payload.length, 0)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, payload])
}

/** Strings ended by NUL. A NUL inside one would shift all that follow, so callers must have refused it. */
export function encodeWords(words: readonly (string | number)[]): Buffer {
  return Buffer.from(words.map((word) => `${word}\0`).join(''))
}

export function decodeWords(payload: Buffer): string[] {
  return payload.toString().split('\0').slice(0, -1)
}

/** Cuts a byte stream into frames; keeps what is incomplete for the next chunk. */
export class FrameReader {
  #chunks: Buffer[] = []
  #length = 0
  #wanted = 5

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const frames: Frame[] = []
    // Joins only when a whole frame is there: joining at every chunk would be quadratic for large frames.
    while (this.#length >= this.#wanted) {
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const size = all.readUInt32LE(0) + 5
      this.#chunks = [all]
      if (all.length < size) {
        this.#wanted = size
        break
      }
      frames.push({ type: String.fromCharCode(all[4]!), payload: all.subarray(5, size) })
      this.#chunks = [all.subarray(size)]
      this.#length = all.length - size
      this.#wanted = 5
    }
    return frames
  }
}
