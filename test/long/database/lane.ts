import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import type { PlanView } from '../../../shared/api/schemas/plan.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import type { Failpoint } from '../../chaos/failpoints.ts'
import { effectFaults, ledgerFaults, leftovers } from '../../chaos/oracles.ts'
import { ChaosStack } from '../../chaos/stack.ts'
import { User } from '../../chaos/user.ts'
import { Random } from '../../sim/random.ts'
import { settled } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { askServer, documentOf, type Wish } from './support.ts'

const patienceMs = 240_000

/**
 * A Remodel of a test's own, with a database, whose services die at the points they are armed with: each at each of its
 * points once. The process after a dead one is armed with the points that are left.
 */
export class Lane {
  readonly net: number
  /** Points at which a process died. */
  readonly killed = new Set<string>()
  readonly #stack: ChaosStack
  readonly #user: User
  readonly #killedVms = new Set<string>()
  #armed: readonly Failpoint[] = []
  #more: Readonly<Record<string, string>> = {}

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

  /**
   * Services that reach one of these points are started anew, to die there; `more`: point -> what else is done at it.
   */
  async arm(points: readonly Failpoint[], more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#armed = points
    this.#more = more
    const services = new Set(points.map(({ service }) => service))
    for (const slot of this.#stack.slots.filter(({ service }) => services.has(service))) {
      await this.#stack.retire(slot)
      slot.stopped = false
      await this.#stack.begin(slot)
    }
  }

  environment(service: string): Record<string, string> {
    const left = this.#armed.filter((point) => point.service === service && !this.killed.has(point.name))
    const armed = { ...this.#more, ...Object.fromEntries(left.map(({ name }) => [name, 'kill'])) }
    const failpoints = Object.entries(armed).map(([name, what]) => `${name}=${what}`)
    return {
      REMODEL_ARCHIVE_SECONDS: '2',
      ...(failpoints.length === 0 ? {} : { REMODEL_FAILPOINTS: failpoints.join() }),
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

  /** Cancels a plan that was applied as soon as it says `when`, and waits for its end. */
  async cancel(wish: Omit<Wish, 'net'>, when: RegExp): Promise<void> {
    const [client] = this.#stack.clients()
    const manifest = { name: 'shop.yml', content: documentOf({ ...wish, net: this.net }) }
    const { plan } = await client!.plan({ manifest })
    await client!.apply(plan.id, {})
    const said = async () =>
      (await client!.events('shop', { plan: plan.id })).filter(({ type }) => type === 'remodel.progress')
    await vi.waitFor(async () => expect((await said()).some(({ message }) => when.test(message ?? ''))).toBe(true), {
      timeout: 60_000,
      interval: 100,
    })
    // The server that is being stopped has to be down by then.
    await sleep(1500)
    await client!.cancel(plan.id)
    expect(await settled(client!, plan.id, patienceMs)).toBe('cancelled')
  }

  /** Makes replicas of servers that there are, whichever of them was the primary. */
  async demote(letters: string): Promise<void> {
    const machines = await Promise.all([...letters].map((letter) => this.provider.connect(`db-shop-${letter}`, null)))
    for (const machine of machines) await machine.stop(30_000)
    for (const machine of machines) {
      await machine.exec(['setpriv', '--reuid=65534', 'touch', '/var/vcap/store/postgres/data/standby.signal'])
      await machine.start()
      machine.close()
    }
    const recovering = () =>
      Promise.all([...letters].map((letter) => askServer(this.net, letter, 'SELECT pg_is_in_recovery()')))
    await vi.waitFor(async () => expect((await recovering()).flat(2)).toEqual([...letters].map(() => true)), {
      timeout: 60_000,
      interval: 200,
    })
  }

  /** A plan that fails on the way is a fault: those who die are not to be seen in it. */
  async #work(draw: (client: Client) => Promise<PlanView>): Promise<void> {
    const until = performance.now() + patienceMs
    const outcome = await this.#user.work(draw, () => until)
    expect(outcome, await this.#lastWords()).toMatchObject({ converged: true })
    expect(outcome.reasons.filter((reason) => reason.includes(' failed'))).toEqual([])
  }

  /** For the reader of a failed test: the end of the history, and of the assembler's log. */
  async #lastWords(): Promise<string> {
    const [client] = this.#stack.clients()
    const events = await client!.events('shop').catch(() => [])
    const said = this.#stack.of('assembler').flatMap(({ lines }) => lines.slice(-15))
    return [...events.slice(-25).map((event) => JSON.stringify(event)), ...said].join('\n')
  }

  /** What services said while they carried out each remodel of the database's plans, in the order of its events. */
  async said(): Promise<Map<string, string[]>> {
    const [client] = this.#stack.clients()
    const said = new Map<string, string[]>()
    for (const { type, plan, remodel, message = '' } of await client!.events('shop')) {
      if (type !== 'remodel.progress') continue
      const of = `${plan} ${remodel}`
      said.set(of, [...(said.get(of) ?? []), message])
    }
    return said
  }

  async killMachine(letter: string): Promise<void> {
    const vm = `db-shop-${letter}`
    const file = join(this.#stack.machines, 'vms', vm, 'pid')
    this.#killedVms.add(vm)
    process.kill(Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL')
  }

  /**
   * Removes the database, ends everything, and fails where the ledger or the machines tell of a
   * fault or anything is left.
   */
  async end(): Promise<void> {
    const until = performance.now() + patienceMs
    expect(await this.#user.remove(() => until)).toMatchObject({ converged: true })
    const settings = { url: this.#stack.redis.url, prefix: 'remodel' }
    const ledger = await this.#stack.openLedger(connectRedis(settings, 'service'), settings)
    const faults = await ledgerFaults(ledger, 'shop').finally(() => ledger.redis.disconnect())
    faults.push(...(await effectFaults(this.#stack.machines, this.#killedVms)))
    for (const slot of this.#stack.slots) await this.#stack.retire(slot)
    expect([...faults, ...(await leftovers(this.#stack.machines))]).toEqual([])
  }

  close(): Promise<void> {
    return this.#stack.close()
  }
}
