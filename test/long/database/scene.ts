import { existsSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { addressOf, ask, documentOf, type Wish } from './support.ts'
import { Writer } from './writer.ts'

const settleMs = 240_000

export type Fault = 'cut off' | 'lagging' | 'silent'

/** One node n1 on hosts a, b and c, in a Remodel of its own, with a writer that remembers what was acknowledged. */
export class Scene {
  readonly net: number
  readonly stack: TestStack
  readonly client: Client
  #assembler: Awaited<ReturnType<TestStack['start']>>
  #writer: Writer | null = null
  /** Points that the armed assembler has reached are files in it. */
  #reached = ''
  #acknowledged: string[] = []

  private constructor(net: number, stack: TestStack, assembler: Awaited<ReturnType<TestStack['start']>>) {
    this.net = net
    this.stack = stack
    this.client = stack.client()
    this.#assembler = assembler
  }

  static async open(): Promise<Scene> {
    const stack = await startServices({ planner: 1 })
    return new Scene(await ownNet(), stack, await stack.start('assembler'))
  }

  async close(): Promise<void> {
    await this.#writer?.stop()
    await this.stack.stop()
  }

  /** The next assembler in place of this one; `failpoints` as in REMODEL_FAILPOINTS. */
  async arm(failpoints = ''): Promise<void> {
    await this.#assembler.kill('SIGTERM')
    this.#reached = await mkdtemp(join(this.stack.home, 'reached-'))
    const armed = { REMODEL_FAILPOINTS: failpoints, REMODEL_FAILPOINTS_ONCE: this.#reached }
    this.#assembler = await this.stack.start('assembler', failpoints ? armed : {})
  }

  /** Once the armed assembler is dead, one that is not armed takes its place; not any more where `over` says so. */
  async replaceWhenDead(over: AbortSignal): Promise<void> {
    const { process } = this.#assembler
    while (process.exitCode === null && process.signalCode === null) {
      if (over.aborted) return
      await sleep(50)
    }
    this.#assembler = await this.stack.start('assembler')
  }

  write(): void {
    this.#writer = new Writer(this.net, `w${performance.now()}`, 'abc')
  }

  async stopWriting(): Promise<void> {
    await this.#writer?.stop()
    this.#acknowledged.push(...(this.#writer?.acknowledged ?? []))
    this.#writer = null
  }

  async plan(wish: Partial<Wish>, options: { acceptLoss?: boolean } = {}): Promise<Plan> {
    const content = documentOf({ net: this.net, nodes: { n1: 'abc' }, ...wish })
    return (await this.client.plan({ manifest: { name: 'shop.yml', content }, options })).plan
  }

  /** Applies it; answers how it ended. */
  async carryOut(plan: Plan): Promise<{ state: string; errors: string }> {
    if (plan.remodels.length === 0) return { state: 'done', errors: '' }
    await this.client.apply(plan.id, {})
    const until = performance.now() + settleMs
    for (;;) {
      const { status } = await this.client.planView(plan.id)
      const errors = status.errors.map(({ remodel, code, message }) => `${remodel}: ${code}: ${message}`).join('; ')
      if (['done', 'failed', 'cancelled'].includes(status.state)) return { state: status.state, errors }
      if (performance.now() > until) {
        const events = (await this.client.events('shop', { plan: plan.id })).slice(-12)
        throw new Error(
          [`plan ${plan.id} is ${status.state}: ${errors}`, ...events.map((one) => JSON.stringify(one))].join('\n'),
        )
      }
      await sleep(100)
    }
  }

  async deploy(wish: Partial<Wish> = {}, options: { acceptLoss?: boolean } = {}) {
    return this.carryOut(await this.plan(wish, options))
  }

  /** Cancels the plan `ms` after its switch-over said something. */
  async cancelSoon(plan: Plan, ms: number): Promise<void> {
    for (;;) {
      const events = await this.client.events('shop', { plan: plan.id }).catch(() => [])
      if (events.some(({ type }) => ['plan.done', 'plan.failed', 'plan.cancelled'].includes(type))) return
      if (events.some(({ type }) => type === 'remodel.progress')) break
      await sleep(50)
    }
    await sleep(ms)
    await this.client.cancel(plan.id).catch(() => {})
  }

  hasReached(point: string): boolean {
    return existsSync(join(this.#reached, point))
  }

  /** An assembler that stopped itself at a point goes on. */
  goOn(): void {
    this.#assembler.process.kill('SIGCONT')
  }

  /** Cancels the plan as soon as the point is reached; not any more where `over` says so. */
  async cancelAt(point: string, plan: Plan, over: AbortSignal): Promise<void> {
    while (!this.hasReached(point)) {
      if (over.aborted) return
      await sleep(20)
    }
    await this.client.cancel(plan.id).catch(() => {})
  }

  async sql(letter: string, ...statements: string[]): Promise<unknown> {
    const at = { vm: `db-shop-${letter}`, address: addressOf(this.net, letter), port: 5432 }
    const session = await openAsClient(this.stack.provider, at, 'postgres', { timeoutMs: 5000 })
    try {
      let last: unknown = null
      for (const statement of statements) last = await session.value(statement)
      return last
    } finally {
      await session.close()
    }
  }

  async shell(letter: string, script: string): Promise<string> {
    const connection = await this.stack.provider.connect(`db-shop-${letter}`, null)
    try {
      return (await connection.exec(['/bin/sh', '-c', script])).stdout
    } finally {
      connection.close()
    }
  }

  async inflict(fault: Fault, letter: string): Promise<void> {
    if (fault === 'cut off') {
      await this.sql(letter, `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'`, 'SELECT pg_reload_conf()')
    } else if (fault === 'lagging') await this.sql(letter, 'SELECT pg_wal_replay_pause()')
    else {
      const connection = await this.stack.provider.connect(`db-shop-${letter}`, null)
      await connection.stop(10_000)
      connection.close()
    }
  }

  async killMachine(letter: string): Promise<void> {
    const file = join(this.stack.home, 'machines', 'vms', `db-shop-${letter}`, 'pid')
    process.kill(Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL')
  }

  /** Letter -> whether it takes writes; null where it does not answer. */
  async roles(): Promise<Record<string, boolean | null>> {
    const entries = await Promise.all(
      [...'abc'].map(async (letter) => {
        const recovering = await this.sql(letter, 'SELECT pg_is_in_recovery()').catch(() => null)
        return [letter, typeof recovering === 'boolean' ? !recovering : null] as const
      }),
    )
    return Object.fromEntries(entries)
  }

  async primaries(): Promise<string[]> {
    return Object.entries(await this.roles()).flatMap(([letter, writes]) => (writes === true ? [letter] : []))
  }

  /** Rows that were acknowledged and are not on the primary. */
  async lost(): Promise<string[]> {
    const known = new Set((await ask(this.net, 'abc', 'SELECT id FROM entry')).map(([id]) => String(id)))
    return this.#acknowledged.filter((id) => !known.has(id))
  }

  /** What was written up to now is not looked for any more. */
  forget(): void {
    this.#acknowledged = []
  }

  /**
   * Replicas that were paused go on, one that was cut off and is the primary now could follow again; data
   * that was put aside goes.
   */
  async heal(): Promise<void> {
    for (const letter of 'abc') {
      await this.sql(letter, 'SELECT pg_wal_replay_resume()').catch(() => {})
      await this.sql(letter, 'ALTER SYSTEM RESET primary_conninfo', 'SELECT pg_reload_conf()')
      await this.shell(letter, 'rm -rf /var/vcap/store/postgres/kept-*')
    }
  }

  get rows(): number {
    return this.#acknowledged.length
  }

  /** Exactly one server takes writes, and has every acknowledged row. */
  async expectWhole(): Promise<void> {
    await this.stopWriting()
    expect(await this.primaries()).toHaveLength(1)
    expect(await this.lost()).toEqual([])
  }
}
