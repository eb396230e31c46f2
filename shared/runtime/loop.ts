export interface Loop {
  /** No further turn begins; resolves when the one under way has ended. */
  stop(): Promise<void>
}

export interface LoopOptions {
  everyMs: number
  turn(): Promise<void>
  /** A turn failed; the next one comes. */
  failed(error: unknown): void
  /** The first turn begins now, not after `everyMs`. */
  atOnce?: boolean
}

/**
 * Takes a turn every `everyMs`. Turns never overlap: where one takes longer, those that would begin
 * meanwhile are left out.
 */
export function startLoop({ everyMs, turn, failed, atOnce = false }: LoopOptions): Loop {
  let underWay: Promise<void> | undefined
  const next = () => {
    underWay ??= turn()
      .catch(failed)
      .finally(() => {
        underWay = undefined
      })
  }
  const timer = setInterval(next, everyMs)
  if (atOnce) next()
  return {
    async stop() {
      clearInterval(timer)
      await underWay
    },
  }
}
