import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/** Id of a worker or planner process: readable, and never used again. */
export function processId(service: string): string {
  return `${service}-${hostname().split('.')[0]}-${process.pid}-${randomBytes(4).toString('hex')}`
}
