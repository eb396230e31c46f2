import { randomBytes } from 'node:crypto'
import { chmod, link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { startLoop } from '../../../shared/runtime/loop.ts'
import { plannerRecord, plannerSocket, socketAddress } from '../../../shared/runtime/planner-socket.ts'

/** How often a planner looks whether the one at the home's socket still answers. */
const lookMs = 1000

/** What `<home>/planner.json` says of the planner at the home's socket. */
export interface PlannerRecord {
  url: string
  pid: number
  planner: string
}

/**
 * Answers the command of a home, through `<home>/planner.sock`, which only its owner can open. Any number of planners
 * may share a home: each listens on a socket of its own, and the home's socket is a link to that of one of them.
 *
 *   free, or its planner does not answer  -- a planner starts, or looks -->  had by that one
 *   had by a planner                      -- another one starts         -->  had by the newest
 *                                         -- it leaves                  -->  free, until the next look of another
 *
 * So the command finds a planner for as long as there is one, whichever of them ends, and however.
 */
export async function answerAtHome(server: Server, home: string, record: PlannerRecord): Promise<() => Promise<void>> {
  const socket = plannerSocket(home)
  const own = `${socket}.${randomBytes(4).toString('hex')}`
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: socketAddress(own) }, () => resolve())
  })
  await chmod(own, 0o600)
  const { ino } = await stat(own)
  const isOwn = async (path: string) => (await stat(path).catch(() => undefined))?.ino === ino

  // Renamed over the link, which never shows a socket that others can open, or a half-written record.
  const take = async () => {
    await link(own, `${own}.new`)
    await rename(`${own}.new`, socket)
    await writeFile(`${own}.json`, JSON.stringify(record))
    await rename(`${own}.json`, plannerRecord(home))
  }
  const look = async () => {
    if (!(await isOwn(socket)) && !(await answers(socket))) await take()
  }

  await take()
  await sweep(home)
  const looking = startLoop({ everyMs: lookMs, turn: look, failed: () => {} })
  return async () => {
    await looking.stop()
    const had = await isOwn(socket)
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await rm(own, { force: true })
    if (had) await rm(socket, { force: true })
    const written = await readFile(plannerRecord(home), 'utf8').catch(() => '')
    if (written.includes(JSON.stringify(record.planner))) await rm(plannerRecord(home), { force: true })
  }
}

/** Takes away what planners left that were killed. */
async function sweep(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    const path = join(home, name)
    if (/^planner\.sock\.[0-9a-f]+$/.test(name) && !(await answers(path))) await rm(path, { force: true })
  }
}

/** Whether a process listens on a socket; one that has too many callers to answer does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketAddress(path) })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(!['ENOENT', 'ECONNREFUSED'].includes(error.code ?? '')),
    )
  })
}
