import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fence } from '../../../shared/provider/provider.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { scopeLock } from './locks.ts'
import { fenceSequence } from './names.ts'
import { ensureOwnSequence } from './own-schema.ts'
import { type Address, type Machines, openSession, type Session } from './server.ts'

/** A synchronous standby that hangs holds a fence up for this long at most. */
const standbyMs = 3000
const retryMs = 20

/**
 * A session that may change a database on behalf of a remodel.
 *
 * The fence is a sequence in the schema `remodel` of that database: the write-ahead log carries it to replicas, so it
 * survives a failover, and logical replication does not carry it to other nodes. The session holds an advisory lock of
 * its scope as long as it lives. A caller with a larger number first ends the sessions of smaller ones: a worker that
 * was paused and wakes up finds its session gone, and a new one refused. So check and change are one session.
 */
export async function openFenced(
  machines: Machines,
  at: Address,
  database: string,
  { fence, signal }: { fence: Fence; signal?: AbortSignal },
): Promise<Session> {
  const hash = createHash('sha256').update(fence.scope).digest()
  const scope = `remodel ${hash.toString('hex').slice(0, 24)}`
  const name = `${scope} ${fence.number}`
  const session = await openSession(machines, at, database, { name, ...(signal ? { signal } : {}) })
  try {
    const sequence = `remodel.${fenceSequence(fence.scope)}`
    await ensureOwnSequence(session, sequence)
    for (;;) {
      // A worker of a newer fence may have come meanwhile: its session is not to be ended, and this one is over.
      await refuseOlder(session, sequence, fence)
      if (await session.value(`SELECT pg_try_advisory_lock(${scopeLock(hash)})`)) break
      await endOlder(session, scope, fence.number)
      await sleep(retryMs)
    }
    await refuseOlder(session, sequence, fence)
    await raise(session, sequence, fence.number)
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

async function refuseOlder(session: Session, sequence: string, fence: Fence): Promise<void> {
  if (Number(await session.value(`SELECT last_value FROM ${sequence}`)) > fence.number) throw superseded(fence)
}

/** The name of a session holds its number, so that one that has not raised the sequence yet is known for what it is. */
async function endOlder(session: Session, scope: string, number: number): Promise<void> {
  await session.query(
    `SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND datname = current_database() AND starts_with(application_name, $1 || ' ')
       AND split_part(application_name, ' ', 3)::numeric <= $2::numeric`,
    [scope, number],
  )
}

/**
 * A failover must not bring a smaller number back: where there is a standby to take over, it has the number
 * before the work begins.
 */
async function raise(session: Session, sequence: string, number: number): Promise<void> {
  const standbys = `SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming' LIMIT 1`
  const waits = (await session.value(standbys)) !== null
  await session.query('BEGIN')
  if (waits) {
    await session.query('SET LOCAL synchronous_commit = remote_write')
    // Behind this the commit is the server's own, as it would be without a standby.
    await session.query(`SET LOCAL statement_timeout = ${standbyMs}`)
  }
  await session.query(`SELECT setval('${sequence}', $1)`, [number])
  await session.query('COMMIT')
}

function superseded(fence: Fence): RemodelError {
  return new RemodelError('superseded', `${fence.scope} has seen a higher fence than ${fence.number}`)
}
