import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Client } from '../../../cli/client.ts'
import type { PlanView } from '../../../services/planner/api/schema.ts'
import { Ledger } from '../../../shared/ledger/ledger.ts'
import { connectRedis } from '../../../shared/redis.ts'
import type { Failpoint } from '../../chaos/failpoints.ts'
import { effectFaults, ledgerFaults, leftovers } from '../../chaos/oracles.ts'
import { ChaosStack } from '../../chaos/stack.ts'
import { User } from '../../chaos/user.ts'
import { Random } from '../../sim/random.ts'
import { ownNet } from './net.ts'
import { documentOf, type Wish } from './support.ts'

const patienceMs = 240_000

/**
 * A Remodel of a test's own, with a database, whose services die at the points they are armed with: each at each of its
 * points once. Whoever comes after a dead one is armed with the points that are left.
 */
export class Lane {
  readonly net: number
  /** Points at which a process died. */
  readonly killed = new Set<string>()
  readonly #stack: ChaosStack
  readonly #user: User
  readonly #killedVms = new Set<string>()
  #armed: readonly Failpoint[] = []

  private constructor(net: number, stack: ChaosStack) {
    this.net = net
    this.#stack = stack
    this.#user = new User('shop', stack.clients(), new Random(net))
  }

  static async open(): Promise<Lane> {
    const net = await ownNet()
    let lane: Lane | undefined
    const stack = await ChaosStack.start({
      counts: { planner: 1, compiler: 0, assembler: 1 },
      restartMs: () => 0,
      env: ({ service }) => lane?.environment(service) ?? {},
      ended: ({ child }) => lane?.note(child?.pid),
    })
    lane = new Lane(net, stack)
    return lane
  }

  get provider() {
    return this.#stack.provider
  }

  /** Services that reach one of these points are started anew, to die there. */
  async arm(points: readonly Failpoint[]): Promise<void> {
    this.#armed = points
    const services = new Set(points.map(({ service }) => service))
    for (const slot of this.#stack.slots.filter(({ service }) => services.has(service))) {
      await this.#stack.retire(slot)
      slot.stopped = false
      await this.#stack.begin(slot)
    }
  }

  environment(service: string): Record<string, string> {
    const left = this.#armed.filter((point) => point.service === service && !this.killed.has(point.name))
    return {
      REMODEL_ARCHIVE_SECONDS: '2',
      ...(left.length === 0 ? {} : { REMODEL_FAILPOINTS: left.map(({ name }) => `${name}=kill`).join() }),
    }
  }

  note(pid: number | undefined): void {
    const marks = process.env.REMODEL_FAILPOINTS_REPORT ?? join(this.#stack.home, 'marks')
    for (const { name } of this.#armed) if (existsSync(join(marks, `${name}.${pid}`))) this.killed.add(name)
  }

  /** Plans and applies until it is done. */
  deploy(wish: Omit<Wish, 'net'>): Promise<void> {
    const manifest = { name: 'shop.yml', content: documentOf({ ...wish, net: this.net }) }
    return this.#work((client) => client.plan({ manifest }))
  }

  /** A plan that fails on the way is a fault: those who die are not to be seen in it. */
  async #work(draw: (client: Client) => Promise<PlanView>): Promise<void> {
    const until = performance.now() + patienceMs
    const outcome = await this.#user.work(draw, () => until)
    expect(outcome, await this.#lastWords()).toMatchObject({ converged: true })
    expect(outcome.reasons.filter((reason) => reason.includes(' failed'))).toEqual([])
  }

  /** What whoever reads a failed test wants to know: the end of the history, and of what the assembler said. */
  async #lastWords(): Promise<string> {
    const [client] = this.#stack.clients()
    const events = await client!.events('shop').catch(() => [])
    const said = this.#stack.of('assembler').flatMap(({ lines }) => lines.slice(-15))
    return [...events.slice(-25).map((event) => JSON.stringify(event)), ...said].join('\n')
  }

  async killMachine(letter: string): Promise<void> {
    const vm = `db-shop-${letter}`
    const file = join(this.#stack.machines, 'vms', vm, 'pid')
    this.#killedVms.add(vm)
    process.kill(Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL')
  }

  /** Removes the database, ends everything, and fails where the ledger or the machines tell of a fault or anything is left. */
  async end(): Promise<void> {
    const until = performance.now() + patienceMs
    expect(await this.#user.remove(() => until)).toMatchObject({ converged: true })
    const settings = { url: this.#stack.redis.url, prefix: 'remodel' }
    const ledger = new Ledger(connectRedis(settings, 'service'), settings)
    const faults = await ledgerFaults(ledger, 'shop').finally(() => ledger.redis.disconnect())
    faults.push(...(await effectFaults(this.#stack.machines, this.#killedVms)))
    for (const slot of this.#stack.slots) await this.#stack.retire(slot)
    expect([...faults, ...(await leftovers(this.#stack.machines))]).toEqual([])
  }

  close(): Promise<void> {
    return this.#stack.close()
  }
}
