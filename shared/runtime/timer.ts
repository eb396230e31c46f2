/**
 * Timers that hold for any time: Node fires one of more than 2^31-1 ms (24.8 days) at once. They go by the monotonic
 * clock, so a step of the host's clock neither fires nor delays them.
 */
export const longestMs = 2 ** 31 - 1

export interface Timer {
  end(): void
}

/** Runs `what` once, `ms` from now, unless it is ended before. */
export function after(ms: number, what: () => void): Timer {
  const due = performance.now() + ms
  let timer: NodeJS.Timeout
  const arm = () => {
    const left = due - performance.now()
    timer = left > longestMs ? setTimeout(arm, longestMs) : setTimeout(what, Math.max(0, left))
  }
  arm()
  return { end: () => clearTimeout(timer) }
}

/** A signal that fires `ms` from now with `reason`, unless it is ended before. */
export function timeLimit(ms: number, reason: () => unknown): Timer & { signal: AbortSignal } {
  const controller = new AbortController()
  const timer = after(ms, () => controller.abort(reason()))
  return { signal: controller.signal, end: timer.end }
}

/** Waits for `ms`; rejects with the reason of `signal` where that fires first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      timer.end()
      reject(signal?.reason)
    }
    const timer = after(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}
