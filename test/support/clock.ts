import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

/** Clocks of processes that can be set while they run, through a library that is preloaded into them (`clock.c`). */
export class Clocks {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Builds the library into a folder that exists; clocks lie beside it. */
  static async open(folder: string): Promise<Clocks> {
    const source = new URL('./clock.c', import.meta.url).pathname
    await execa('gcc', ['-shared', '-fPIC', '-O2', '-o', join(folder, 'clock.so'), source])
    return new Clocks(folder)
  }

  /** Variables of the process whose clock has this name. */
  env(name: string): Record<string, string> {
    return { LD_PRELOAD: join(this.#folder, 'clock.so'), CLOCK_OFFSET: join(this.#folder, name) }
  }

  /** From now on this clock is this many milliseconds ahead of the computer's. */
  set(name: string, offsetMs: number): Promise<void> {
    return this.#write(name, String(offsetMs))
  }

  /** From now on this clock stays at this time, in milliseconds since the epoch. */
  stop(name: string, atMs: number): Promise<void> {
    return this.#write(name, `=${atMs}`)
  }

  /** In one step: a process that reads the file meanwhile finds the one time or the other. */
  async #write(name: string, text: string): Promise<void> {
    const path = join(this.#folder, name)
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }
}
