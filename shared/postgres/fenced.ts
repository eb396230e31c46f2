import { createHash } from 'node:crypto'
import { RemodelError } from '../errors.ts'
import type { Fence } from '../provider/provider.ts'
import { fenceSequence } from './names.ts'
import { type Address, type Machines, openSession, type Session } from './server.ts'

/**
 * A session that may change a database on behalf of a remodel.
 *
 * The fence is a sequence in the schema `remodel` of that database: the write-ahead log carries it to replicas, so it
 * survives a failover, and logical replication does not carry it to other nodes. The session holds an advisory lock of its
 * scope as long as it lives. Whoever comes with a larger number first ends all sessions of the scope: a worker that was
 * paused and wakes up finds its session gone, and a new one refused. So check and change are one session.
 */
export async function openFenced(
  machines: Machines,
  at: Address,
  database: string,
  { fence, signal }: { fence: Fence; signal?: AbortSignal },
): Promise<Session> {
  const hash = createHash('sha256').update(fence.scope).digest()
  const name = `remodel ${hash.toString('hex').slice(0, 24)}`
  const key = hash.readBigInt64BE(0).toString()
  const session = await openSession(machines, at, database, { name, ...(signal ? { signal } : {}) })
  try {
    const sequence = `remodel.${fenceSequence(fence.scope)}`
    await prepare(session, sequence)
    if (Number(await session.value(`SELECT last_value FROM ${sequence}`)) > fence.number) throw superseded(fence)
    const others = 'pid <> pg_backend_pid() AND datname = current_database() AND application_name = $1'
    for (;;) {
      if (await session.value('SELECT pg_try_advisory_lock($1::bigint)', [key])) break
      await session.query(`SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE ${others}`, [name])
    }
    if (Number(await session.value(`SELECT last_value FROM ${sequence}`)) > fence.number) throw superseded(fence)
    await session.query(`SELECT setval('${sequence}', $1)`, [fence.number])
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

async function prepare(session: Session, sequence: string): Promise<void> {
  if ((await session.value(`SELECT to_regclass($1)::text`, [sequence])) !== null) return
  // Two at once may meet here: IF NOT EXISTS is no lock.
  await session.query(`SELECT pg_advisory_lock(0)`)
  await session.query(`CREATE SCHEMA IF NOT EXISTS remodel`)
  await session.query(`CREATE SEQUENCE IF NOT EXISTS ${sequence} MINVALUE 0 START 0`)
  await session.query(`SELECT pg_advisory_unlock(0)`)
}

function superseded(fence: Fence): RemodelError {
  return new RemodelError('superseded', `${fence.scope} has seen a higher fence than ${fence.number}`)
}
