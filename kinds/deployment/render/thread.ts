import { posix } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { isMonitFile, monitFaults } from '../../../shared/release/monit.ts'
import { healthChecksFault, healthChecksFile } from '../health-checks.ts'
import { pack } from './bundle.ts'
import { Engine, type RubyFault } from './engine.ts'
import type { PreparedJob } from './job.ts'
import type { WasmModule } from './wasm.ts'

/** What a thread is started with. */
export interface ThreadData {
  module: WasmModule
  /** One Int32: index of the template at work, so that the process which ends the thread can name it. */
  progress: SharedArrayBuffer
}

/** Work for a thread: jobs it has not seen, jobs to forget, then the contexts to render, in order. */
export interface ThreadBatch {
  jobs: PreparedJob[]
  forget: string[]
  tasks: { number: number; job: string; context: string }[]
}

/** Answers of a thread, one per task, in order, each sent as soon as it is there. `memory` in bytes. */
export type ThreadAnswer =
  | { ready: true }
  | { number: number; memory: number; rendered: { digest: string; content: Uint8Array<ArrayBuffer> } }
  | { number: number; memory: number; faults: TemplateFault[] }

/** The first thing that went wrong in one template. */
export interface TemplateFault extends RubyFault {
  template: string
}

const { module, progress } = workerData as ThreadData
const port = parentPort!
const current = new Int32Array(progress)
const jobs = new Map<string, PreparedJob>()
const engine = await Engine.start(module)

port.on('message', (batch: ThreadBatch) => {
  for (const id of batch.forget) {
    engine.drop(id)
    jobs.delete(id)
  }
  for (const job of batch.jobs) {
    engine.load(job.id, job.files)
    jobs.set(job.id, job)
  }
  for (const task of batch.tasks) {
    const answer = render(task)
    port.postMessage(answer, 'rendered' in answer ? [answer.rendered.content.buffer] : [])
  }
})
port.postMessage({ ready: true } satisfies ThreadAnswer)

function render(task: ThreadBatch['tasks'][number]): Exclude<ThreadAnswer, { ready: true }> {
  const job = jobs.get(task.job)!
  engine.setContext(task.context)
  const faults: TemplateFault[] = []
  const entries = job.files.map((file, index) => {
    Atomics.store(current, 0, index)
    const result = engine.render(job.id, index)
    if (!Buffer.isBuffer(result)) faults.push({ template: file.template, ...result })
    else if (isMonitFile(file.destination)) faults.push(...unsupervised(file.template, result, job))
    else if (file.destination === healthChecksFile) faults.push(...unreadable(file.template, result))
    return { path: file.destination, mode: file.mode, content: Buffer.isBuffer(result) ? result : Buffer.alloc(0) }
  })
  const answer = { number: task.number, memory: engine.memory }
  return faults.length > 0 ? { ...answer, faults } : { ...answer, rendered: pack(entries) }
}

/** A check that cannot be read would be one that always holds. */
function unreadable(template: string, rendered: Buffer): TemplateFault[] {
  const fault = healthChecksFault(rendered.toString('utf8'))
  return fault ? [{ template, type: 'health-checks', ...fault, syntax_line: null }] : []
}

/** The deploy of a job that is not supervised as its monit file says would be a success that is none. */
function unsupervised(template: string, rendered: Buffer, job: PreparedJob): TemplateFault[] {
  const own = `/var/vcap/jobs/${job.name}/`
  const isAbsent = (path: string) =>
    path.startsWith(own) &&
    !job.files.some(({ destination }) => destination === posix.normalize(path.slice(own.length)))
  const [first] = monitFaults(rendered.toString('utf8'), isAbsent)
  return first ? [{ template, type: 'monit', message: first.message, line: first.line, syntax_line: null }] : []
}
