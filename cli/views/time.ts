/** A duration in milliseconds as people say it: `320 ms`, `3.2 s`, `2 m 05 s`, `1 h 03 m`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} m ${two(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`
}

/** How long something has been going on, in whole seconds, so that a redrawn line does not flicker. */
export function elapsed(milliseconds: number): string {
  return duration(Math.max(0, Math.floor(milliseconds / 1000)) * 1000 || 0)
    .replace(/^0 ms$/, '0 s')
    .replace(/\.0 s$/, ' s')
}

/** Time of day in the reader's own zone: `10:00:01`. */
export function clock(at: number): string {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Date and time in the reader's own zone: `2026-11-22 10:00:01`. */
export function dateTime(at: number): string {
  const date = new Date(at)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`
}

/** How long ago: `3 m 05 s ago`. */
export function ago(at: number, now = Date.now()): string {
  return `${elapsed(now - at)} ago`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
