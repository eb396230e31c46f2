import { type Logger, pino } from 'pino'

/** One logger a process: JSON lines on standard output, `service` and `worker` on every line. */
export function createLog(service: string, fields: Record<string, unknown> = {}): Logger {
  return pino({
    name: service,
    level: process.env.REMODEL_LOG ?? 'info',
    base: { service, ...fields },
    timestamp: pino.stdTimeFunctions.isoTime,
  })
}
