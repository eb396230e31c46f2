import { readdir, readFile } from 'node:fs/promises'

/** What one process holds at one moment. */
export interface Held {
  /** Resident memory. */
  rssMb: number
  /** The most resident memory it ever had. */
  peakMb: number
  /** Resident memory that stands for no file: heaps of V8, of the C library, stacks. */
  anonymousMb: number
  /** Open files. */
  files: number
}

export async function heldBy(pid: number): Promise<Held> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
  return {
    rssMb: megabytes('VmRSS'),
    peakMb: megabytes('VmHWM'),
    anonymousMb: megabytes('RssAnon'),
    files: (await readdir(`/proc/${pid}/fd`)).length,
  }
}
