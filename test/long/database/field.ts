import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../../kinds/database/postgres/server.ts'
import type { Client } from '../../../shared/api/client.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { needCases } from '../../support/cases.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'

export interface Deployed {
  /** `refused`: it was not even planned. */
  state: 'done' | 'failed' | 'cancelled' | 'refused'
  /** What it was refused with, with the lines; or failed with. */
  said: string
  plan: Plan | null
}

/** Documents of the field's cases, in a Remodel and at addresses of a test's own. */
export class Field {
  readonly stack: TestStack
  readonly client: Client
  readonly net: number
  /** Points at which an assembler died. */
  readonly died: string[] = []

  private constructor(stack: TestStack, net: number) {
    this.stack = stack
    this.client = stack.client()
    this.net = net
  }

  static async open(): Promise<Field> {
    const net = await ownNet()
    return new Field(await startServices({ planner: 1, assembler: 2 }), net)
  }

  /** One assembler that stands still for good at a point. */
  async stall(point: string): Promise<void> {
    await Promise.all(this.stack.services.filter(({ name }) => name === 'assembler').map((one) => one.kill('SIGTERM')))
    await this.stack.start('assembler', { REMODEL_FAILPOINTS: `${point}=sleep:100000000` })
  }

  /** All assemblers die, and another one goes on. */
  async replaceAssemblers(): Promise<void> {
    await Promise.all(this.stack.services.filter(({ name }) => name === 'assembler').map((one) => one.kill('SIGKILL')))
    await this.stack.start('assembler')
  }

  async isThere(vm: string, path: string): Promise<boolean> {
    const connection = await this.stack.provider.connect(vm, null)
    try {
      return (await connection.exec(['test', '-e', path])).exitCode === 0
    } finally {
      connection.close()
    }
  }

  /** One assembler that dies at a point the first time it comes there; another one is started as soon as it is gone. */
  async arm(point: string): Promise<void> {
    await Promise.all(this.stack.services.filter(({ name }) => name === 'assembler').map((one) => one.kill('SIGTERM')))
    const { process } = await this.stack.start('assembler', { REMODEL_FAILPOINTS: `${point}=kill` })
    process.once('exit', () => {
      this.died.push(point)
      void this.stack.start('assembler')
    })
  }

  close(): Promise<void> {
    return this.stack.stop()
  }

  /** A document of the cases; without it, the test that asks is skipped. */
  document(name: string): string {
    return this.at(needCases(`field/${name}`))
  }

  /** A document with addresses of this test's own. */
  at(content: string): string {
    return content.replaceAll(/127\.\d+\.\d+\./g, `127.${this.net}.0.`)
  }

  /** Draws the plan; a refusal is an answer. */
  async plan(content: string): Promise<Plan | Deployed> {
    try {
      return (await this.client.plan({ manifest: { name: 'case.yml', content } })).plan
    } catch (error) {
      if (!(error instanceof RemodelError)) throw error
      const faults = error.faults.map(({ line, path, message }) => `${line}: ${path}: ${message}`)
      return { state: 'refused', said: [error.message, ...faults].join('\n'), plan: null }
    }
  }

  async deploy(content: string, limitMs = 240_000): Promise<Deployed> {
    const plan = await this.plan(content)
    return 'said' in plan ? plan : this.carryOut(plan, limitMs)
  }

  async carryOut(plan: Plan, limitMs = 240_000): Promise<Deployed> {
    if (plan.remodels.length === 0) return { state: 'done', said: '', plan }
    await this.client.apply(plan.id, {})
    return this.ended(plan, limitMs)
  }

  /** How a plan that was applied has ended. */
  async ended(plan: Plan, limitMs = 240_000): Promise<Deployed> {
    for (const until = performance.now() + limitMs; ; ) {
      const { status } = await this.client.planView(plan.id)
      const said = status.errors.map(({ remodel, code, message }) => `${remodel}: ${code}: ${message}`).join('\n')
      if (status.state === 'done' || status.state === 'failed' || status.state === 'cancelled') {
        return { state: status.state, said, plan }
      }
      if (performance.now() > until) {
        const events = (await this.client.events(plan.deployment, { plan: plan.id })).slice(-12)
        throw new Error([`plan is ${status.state}: ${said}`, ...events.map((one) => JSON.stringify(one))].join('\n'))
      }
      await sleep(100)
    }
  }

  /** The same in the database of the deployment's own name. */
  async inDatabase(deployment: string, host: string, address: number, work: (session: Session) => Promise<void>) {
    const at = { vm: `db-${deployment}-${host}`, address: `127.${this.net}.0.${address}`, port: 5432 }
    const session = await openAsClient(this.stack.provider, at, deployment)
    try {
      await work(session)
    } finally {
      await session.close()
    }
  }

  /** As the admin role, on the server of a host. */
  async sql(deployment: string, host: string, address: number, ...statements: string[]): Promise<unknown> {
    const at = { vm: `db-${deployment}-${host}`, address: `127.${this.net}.0.${address}`, port: 5432 }
    const session = await openAsClient(this.stack.provider, at, 'postgres', { timeoutMs: 5000, limitMs: 60_000 })
    try {
      let last: unknown = null
      for (const statement of statements) last = await session.value(statement)
      return last
    } finally {
      await session.close()
    }
  }
}
