import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Position } from '../postgres/position.ts'
import { place } from './place.ts'

/** The beginning of `global/pg_control`, which has been the same since PostgreSQL 9.3. */
const offsets = { version: 8, state: 16, checkpoint: 32, timeline: 48, end: 56 }
const versions = { oldest: 1300, newest: 1999 }

const states = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in recovery',
  'in production',
] as const

export interface ControlFile {
  /** `shut down`: a primary that wrote its last checkpoint; nothing comes behind that in its log. */
  state: (typeof states)[number]
  /** Where its last checkpoint begins. */
  checkpoint: Position
}

/**
 * What `pg_controldata` tells of a server that does not run; that program is not among the binaries
 * that every machine has.
 */
export async function readControlFile(connection: Connection): Promise<ControlFile> {
  const { stdout, exitCode } = await connection.exec([
    '/bin/sh',
    '-c',
    `head -c 64 '${place.data}/global/pg_control' | od -An -v -tx1`,
  ])
  const bytes = Buffer.from(stdout.replace(/\s/g, ''), 'hex')
  if (exitCode !== 0 || bytes.length < offsets.end) throw unreadable('it cannot be read')
  return parseControlFile(bytes)
}

export function parseControlFile(bytes: Buffer): ControlFile {
  const version = bytes.readUInt32LE(offsets.version)
  if (version < versions.oldest || version > versions.newest) throw unreadable(`it has version ${version}`)
  const state = states[bytes.readUInt32LE(offsets.state)]
  if (state === undefined) throw unreadable('its state is none that is known')
  const checkpoint = {
    timeline: bytes.readUInt32LE(offsets.timeline),
    lsn: Number(bytes.readBigUInt64LE(offsets.checkpoint)),
  }
  return { state, checkpoint }
}

function unreadable(why: string): RemodelError {
  return new RemodelError('infrastructure', `the control file of the data directory is of no use: ${why}`)
}
