import { Readable } from 'node:stream'
import type { Call } from './call.ts'

/** How many bytes of stdin may be on their way: CREDIT of agent/remodel.h. */
const credit = 256 * 1024
const piece = 64 * 1024

export type Input = Readable | Uint8Array | string

/** Feeds stdin to a command at the pace it reads: the agent gives back credit for what it has handed on. */
export class Stdin {
  #room = credit
  #wake: (() => void) | undefined
  #over = false

  granted(bytes: number): void {
    this.#room += bytes
    this.#wake?.()
  }

  /** The command has ended: nothing more is wanted. */
  end(): void {
    this.#over = true
    this.#wake?.()
  }

  /** Resolves when all was sent, or the command ended. Rejects where the source fails. */
  async feed(call: Call, input: Input | undefined): Promise<void> {
    if (input instanceof Readable) {
      for await (const chunk of input) {
        if (this.#over) break
        await this.#send(call, typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array))
      }
    } else if (input !== undefined) {
      await this.#send(call, typeof input === 'string' ? Buffer.from(input) : input)
    }
    if (!this.#over) call.send('C')
  }

  async #send(call: Call, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#over; ) {
      while (this.#room === 0 && !this.#over) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wake = resolve
        await promise
      }
      const next = bytes.subarray(at, at + Math.min(piece, this.#room))
      this.#room -= next.length
      at += next.length
      if (!this.#over) call.send('I', next)
    }
  }
}
