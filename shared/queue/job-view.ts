import type { Job } from 'bullmq'

/** What is shown of a job on Bull Board while it runs; whether that can be written decides nothing. */
export interface JobView {
  /** How far it has come, of 100. */
  progress(percent: number): void
  note(line: string): void
}

export function jobView(job: Job): JobView {
  return {
    progress: (percent) => void job.updateProgress(percent).catch(() => {}),
    note: (line) => void job.log(line).catch(() => {}),
  }
}
