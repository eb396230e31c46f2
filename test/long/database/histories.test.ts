import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import {
  asksForRestore,
  type Chapter,
  drawHistories,
  firstPage,
  type History,
  hostOf,
  type Page,
  pagesOf,
  roleNames,
} from './histories.ts'
import { growDisks, inflict, makeRoom } from './inflict.ts'
import { giveBackNet, ownNet } from './net.ts'
import { addressOf, ask, documentOf, expectWhole } from './support.ts'
import { Writer } from './writer.ts'

/**
 * Histories of documents at random, on real servers under two writers: nodes that come, go, are renamed, move or get a
 * replica, settings, roles, restores, undos, with faults in between. No acknowledged row is ever lost, as no document
 * says `data_loss`; but for what is written after the moment to which a restore that is asked for goes back.
 * HISTORY_SEED, HISTORY_RUNS, HISTORY_FROM and HISTORY_FAULT choose others, HISTORY_SHARE=`<n>/<of>` a part of
 * them (`npm run test:database-histories`).
 */
const seed = Number(process.env.HISTORY_SEED ?? randomInt(2 ** 31))
const runs = Number(process.env.HISTORY_RUNS ?? 1)
const from = Number(process.env.HISTORY_FROM ?? 0)
const fault = process.env.HISTORY_FAULT
const [share = 1, shares = 1] = (process.env.HISTORY_SHARE ?? '1/1').split('/').map(Number)
/** Changes that go back to a moment. */
const restoring = new Set<Chapter['change']>(['restore', 'withdrawn'])
/** No plan of these small databases takes as long. */
const limitMs = 300_000
/** Between two rows of a writer: rows are in flight at any moment, and several histories share a processor. */
const pauseMs = 20
/** A plan that waits for room on a disk gets it, or has ended. */
const patienceMs = 60_000

const sum = { seed, runs: 0, cut: 0, deploys: 0, refused: 0, failed: 0, restored: 0, rows: 0, lost: 0 }
afterAll(() => console.log(`histories ${JSON.stringify(sum)}`))

describe(`histories of documents at random, seed ${seed}`, () => {
  const drawn = drawHistories(seed, from + runs, fault).slice(from)
  test.for(drawn.filter(({ run }) => run % shares === share - 1))(
    'history $run: no acknowledged row is lost',
    { timeout: 1_800_000 },
    async (history) => {
      const net = await ownNet()
      const stack = await startServices({ planner: 1, assembler: 1 }, { REMODEL_ARCHIVE_SECONDS: '2' })
      try {
        await new Play(net, stack).of(history)
        sum.runs += 1
      } catch (error) {
        if (!(error instanceof DiskEnded)) throw error
        sum.cut += 1
      } finally {
        await stack.stop()
        giveBackNet(net)
      }
    },
  )
})

/**
 * A machine was ended that did not answer for a while, and is there again on its disk. What its server wrote since its
 * disk was full was on a file system of the test, so nothing can be said of these rows.
 */
class DiskEnded extends Error {}

interface Ended {
  state: string
  said: string
}

class Play {
  readonly #net: number
  readonly #stack: TestStack
  readonly #client: Client
  readonly #told: string[] = []
  #current: Page = firstPage
  #before: Page = firstPage
  /**
   * Two write to the nodes that stand, all the time; the last one to nodes that are being added,
   * as soon as it is let in.
   */
  #writers: Writer[] = []
  /** Rows that a restore may have dropped, as it was asked for: those acknowledged since the moment was chosen. */
  readonly #dropped = new Set<string>()

  constructor(net: number, stack: TestStack) {
    this.#net = net
    this.#stack = stack
    this.#client = stack.client()
  }

  async of({ chapters }: History): Promise<void> {
    expect((await this.#deploy(firstPage)).state).toBe('done')
    this.#writers = [
      new Writer(this.#net, 'w1', 'a', pauseMs),
      new Writer(this.#net, 'w2', 'b', pauseMs),
      new Writer(this.#net, 'early', '', pauseMs),
    ]
    try {
      for (const chapter of chapters) await this.#live(chapter)
    } finally {
      await Promise.all(this.#writers.map((writer) => writer.stop()))
      console.log(this.#told.join('\n'))
    }
    const acknowledged = this.#acknowledged.filter((id) => !this.#dropped.has(id))
    sum.rows += acknowledged.length
    const [[hosts]] = [Object.values(this.#current.nodes)] as [[string]]
    const all = { timeout: 30_000, interval: 500 }
    await vi.waitFor(async () => expect(await this.#missing(hosts, acknowledged)).toEqual([]), all).catch(() => {})
    const lost = (await this.#missing(hosts, acknowledged)).length
    sum.lost += lost
    await expectWhole(this.#net, Object.values(this.#current.nodes), acknowledged)
    // A run that is ended before its last history has shown what it says so far.
    console.log(`whole: ${acknowledged.length} rows, ${lost} lost`)
  }

  async #live(drawn: Chapter): Promise<void> {
    const chapter = { ...drawn, at: hostOf(this.#current, drawn) }
    // What is acknowledged from here on may be later than the moment to which a restore goes back.
    const writing = this.#writers.map((writer) => writer.acknowledged.length)
    const moment = await this.#quietMoment(chapter)
    // Nothing is deployed where there is no moment to go back to: a fault of it would stay.
    if (moment === '' && restoring.has(chapter.change)) return
    const actual = this.#acknowledged.length
    await inflict(this.#stack, this.#net, this.#current, chapter)
    for (const page of pagesOf(this.#current, { before: this.#before, moment }, chapter)) {
      const done = await this.#turnTo(page, chapter)
      if (done && asksForRestore(page, this.#before)) {
        sum.restored += 1
        this.#writers.forEach((writer, index) => {
          for (const id of writer.acknowledged.slice(writing[index])) this.#dropped.add(id)
        })
      }
      if (!done) break
    }
    expect(this.#acknowledged.length).toBeGreaterThanOrEqual(actual)
    await this.#expectAsSaid()
    const nodes = Object.values(this.#current.nodes)
    for (const [index, writer] of this.#writers.slice(0, 2).entries()) writer.hosts = nodes[index % nodes.length]!
    this.#writers[2]!.hosts = ''
  }

  /** Answers whether the document stands; where it does not, what stood before is whole again. */
  async #turnTo(page: Page, chapter: Chapter): Promise<boolean> {
    const actual = Object.values(this.#current.nodes).join('')
    const added = Object.values(page.nodes).join('').split('')
    this.#writers[2]!.hosts = added.filter((letter) => !actual.includes(letter)).join('')
    const cancelAfterMs = chapter.change === 'withdrawn' ? chapter.afterMs : undefined
    let ended =
      chapter.fault === 'disk full'
        ? await this.#deployOnFull(page, chapter.at, cancelAfterMs)
        : await this.#deploy(page, cancelAfterMs)
    this.#told.push(
      `${chapter.fault} at ${chapter.at}, ${chapter.change} -> ${JSON.stringify(page.nodes)}: ${ended.state} ${ended.said}`,
    )
    if (ended.state === 'half restored') {
      ended = await this.#deploy(page)
      this.#told.push(`the restore goes on: ${ended.state} ${ended.said}`)
      expect(ended.state, this.#told.join('\n')).toBe('done')
    }
    if (ended.state === 'done') {
      ;[this.#current, this.#before] = [page, this.#current]
      return true
    }
    const back = await this.#deploy(this.#current)
    this.#told.push(`back to ${JSON.stringify(this.#current.nodes)}: ${back.state} ${back.said}`)
    expect(back.state, this.#told.join('\n')).toBe('done')
    return false
  }

  /** There is room when the plan has ended, or waits for it; then the same is deployed again. */
  async #deployOnFull(page: Page, at: string, cancelAfterMs?: number): Promise<Ended> {
    const over = new AbortController()
    const grown = sleep(patienceMs, undefined, { signal: over.signal }).then(
      () => growDisks(this.#stack),
      () => {},
    )
    let ended: Ended
    try {
      ended = await this.#deploy(page, cancelAfterMs)
    } finally {
      over.abort()
      await grown
    }
    const wasThere = await makeRoom(this.#stack, at)
    this.#told.push(`on a full disk: ${ended.state} ${ended.said}`)
    const alone = [this.#current, page].every(({ nodes }) => Object.values(nodes).includes(at))
    if (alone && !wasThere) throw new DiskEnded(`${at} was the only host of its node: ${this.#told.join('\n')}`)
    if (ended.state === 'half restored' || (ended.state !== 'done' && cancelAfterMs !== undefined)) return ended
    const again = await this.#deploy(page)
    expect(['done', 'refused'], [...this.#told, again.said].join('\n')).toContain(again.state)
    return again
  }

  get #acknowledged(): string[] {
    return this.#writers.flatMap((writer) => writer.acknowledged)
  }

  /**
   * A moment, by a server's clock, at which every node has all that was acknowledged before; empty
   * where there is none soon.
   */
  async #quietMoment({ change }: Chapter): Promise<string> {
    if (!restoring.has(change)) return ''
    const nodes = Object.values(this.#current.nodes)
    const known = this.#acknowledged.filter((id) => !this.#dropped.has(id))
    const everywhere = async () => {
      for (const hosts of nodes) expect(await this.#missing(hosts, known)).toEqual([])
    }
    try {
      await vi.waitFor(everywhere, { timeout: 30_000, interval: 300 })
    } catch {
      return ''
    }
    const clock = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
    return String((await ask(this.#net, nodes[0]!, clock))[0]![0])
  }

  async #missing(hosts: string, acknowledged: readonly string[]): Promise<string[]> {
    const known = new Set((await ask(this.#net, hosts, 'SELECT id FROM entry')).map(([id]) => String(id)))
    return acknowledged.filter((id) => !known.has(id))
  }

  #document({ roles, ...page }: Page): { manifest: { name: string; content: string } } {
    const users = Object.entries(roles).map(([username, password]) => ({ username, password, attributes: ['LOGIN'] }))
    return { manifest: { name: 'shop.yml', content: documentOf({ net: this.#net, keep: 2, users, ...page }) } }
  }

  /** Plans and carries out; a refusal is an answer, a plan that does not end is none. */
  async #deploy(page: Page, cancelAfterMs?: number): Promise<Ended> {
    sum.deploys += 1
    let plan: Awaited<ReturnType<Client['plan']>>['plan']
    try {
      plan = (await this.#client.plan(this.#document(page))).plan
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
      sum.refused += 1
      return { state: 'refused', said: [error.message, ...error.faults.map(({ message }) => message)].join('; ') }
    }
    if (plan.remodels.length === 0) return { state: 'done', said: '' }
    await this.#client.apply(plan.id, {})
    if (cancelAfterMs !== undefined) {
      await sleep(cancelAfterMs)
      // It may be over by then.
      await this.#client.cancel(plan.id).catch(() => {})
    }
    let said = ''
    const { state, remodels } = await vi.waitFor(
      async () => {
        const view = await this.#client.planView(plan.id)
        said = view.status.errors.map(({ remodel, message }) => `${remodel}: ${message}`).join('; ')
        expect(['done', 'failed', 'cancelled'], said).toContain(view.status.state)
        return { state: view.status.state, remodels: view.remodels }
      },
      { timeout: limitMs, interval: 200 },
    )
    if (state === 'failed') sum.failed += 1
    const began = remodels.some(({ id, state: one }) => id.startsWith('set-up-instance ') && one === 'done')
    return { state: state !== 'done' && asksForRestore(page, this.#current) && began ? 'half restored' : state, said }
  }

  /** What a client of PostgreSQL sees is what was deployed, nothing deviates, and there is nothing left to do. */
  async #expectAsSaid(): Promise<void> {
    const page = this.#current
    const told = this.#told.join('\n')
    for (const hosts of Object.values(page.nodes)) {
      const question = `SELECT current_setting('work_mem'), pg_is_in_recovery()`
      const [[memory, recovering]] = (await ask(this.#net, hosts, question, 'app')) as [[string, boolean]]
      expect({ memory, recovering }, told).toEqual({ memory: page.settings.work_mem, recovering: false })
      await ask(this.#net, hosts, 'CREATE TEMP TABLE seen (x int)', 'app')
      for (const role of roleNames) {
        const passwords = [page.roles[role] ?? 'none', 'of another']
        const letIn = await Promise.all(passwords.map((password) => this.#comesIn(hosts[0]!, role, password)))
        expect({ role, letIn }, told).toEqual({ role, letIn: [page.roles[role] !== undefined, false] })
      }
    }
    const seen = await this.#client.verdict('shop', 20)
    expect(seen.deviations, told).toEqual([])
    const again = await this.#client.plan(this.#document(page))
    expect(
      again.plan.remodels.map(({ id }) => id),
      told,
    ).toEqual([])
  }

  async #comesIn(letter: string, user: string, password: string): Promise<boolean> {
    const host = addressOf(this.#net, letter)
    const client = new pg.Client({ host, port: 5432, database: 'shop', user, password, connectionTimeoutMillis: 5000 })
    client.on('error', () => {})
    try {
      await client.connect()
      return true
    } catch (error) {
      // 28P01: wrong password, or no such role.
      expect(error).toMatchObject({ code: '28P01' })
      return false
    } finally {
      await client.end().catch(() => {})
    }
  }
}
