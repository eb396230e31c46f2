import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Client } from '../../../cli/client.ts'
import { RemodelError } from '../../../shared/errors.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { freeze } from './freeze.ts'
import { type Chapter, changed, drawHistories, firstPage, type History, type Page } from './histories.ts'
import { ownNet } from './net.ts'
import { ask, documentOf, expectWhole } from './support.ts'
import { Writer } from './writer.ts'

/**
 * Histories of documents at random, on real servers under two writers: nodes that come, go, are renamed or get a replica, settings,
 * undos, with faults in between. No acknowledged row is ever lost, as no document says `data_loss`. HISTORY_SEED and HISTORY_RUNS
 * choose others (`npm run test:database-histories`).
 */
const seed = Number(process.env.HISTORY_SEED ?? randomInt(2 ** 31))
const runs = Number(process.env.HISTORY_RUNS ?? 1)
/** No plan of these small databases takes as long. */
const limitMs = 300_000

const sum = { seed, runs: 0, deploys: 0, refused: 0, failed: 0, rows: 0, lost: 0 }
afterAll(() => console.log(`histories ${JSON.stringify(sum)}`))

describe(`histories of documents at random, seed ${seed}`, () => {
  test.for(drawHistories(seed, runs))(
    'history $run: no acknowledged row is lost',
    { timeout: 1_800_000 },
    async (history) => {
      const net = await ownNet()
      const stack = await startServices({ planner: 1, assembler: 1 })
      try {
        await play(history, { net, stack, client: stack.client() })
        sum.runs += 1
      } finally {
        await stack.stop()
      }
    },
  )
})

interface Stage {
  net: number
  stack: TestStack
  client: Client
}

async function play({ chapters }: History, stage: Stage): Promise<void> {
  const { net } = stage
  expect((await deploy(stage, firstPage)).state).toBe('done')
  const writers = [new Writer(net, 'w1', 'a'), new Writer(net, 'w2', 'b')]
  let [current, before]: [Page, Page] = [firstPage, firstPage]
  const told: string[] = []
  try {
    for (const chapter of chapters) {
      await inflict(stage, current, chapter)
      const wanted = changed(current, before, chapter)
      const ended = await deploy(stage, wanted)
      told.push(
        `${chapter.fault} at ${chapter.at}, ${chapter.change} -> ${JSON.stringify(wanted.nodes)}: ${ended.state} ${ended.said}`,
      )
      if (ended.state === 'done') [current, before] = [wanted, current]
      else {
        // It is withdrawn: what stood before comes back whole.
        const back = await deploy(stage, current)
        told.push(`back to ${JSON.stringify(current.nodes)}: ${back.state} ${back.said}`)
        expect(back.state, told.join('\n')).toBe('done')
      }
      await expectAsSaid(stage, current, told)
    }
  } finally {
    await Promise.all(writers.map((writer) => writer.stop()))
    console.log(told.join('\n'))
  }
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  sum.rows += acknowledged.length
  const [[hosts]] = [Object.values(current.nodes)] as [[string]]
  await vi
    .waitFor(async () => expect(await missing(net, hosts, acknowledged)).toEqual([]), {
      timeout: 30_000,
      interval: 500,
    })
    .catch(() => {})
  sum.lost += (await missing(net, hosts, acknowledged)).length
  await expectWhole(net, Object.values(current.nodes), acknowledged)
}

async function missing(net: number, hosts: string, acknowledged: readonly string[]): Promise<string[]> {
  const known = new Set((await ask(net, hosts, 'SELECT id FROM entry')).map(([id]) => String(id)))
  return acknowledged.filter((id) => !known.has(id))
}

/** Plans and carries out; a refusal is an answer, a plan that does not end is none. */
async function deploy({ net, client }: Stage, page: Page): Promise<{ state: string; said: string }> {
  sum.deploys += 1
  let plan: Awaited<ReturnType<Client['plan']>>['plan']
  try {
    plan = (await client.plan({ manifest: { name: 'shop.yml', content: documentOf({ net, ...page }) } })).plan
  } catch (error) {
    if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
    sum.refused += 1
    return { state: 'refused', said: [error.message, ...error.faults.map(({ message }) => message)].join('; ') }
  }
  if (plan.remodels.length === 0) return { state: 'done', said: '' }
  await client.apply(plan.id, { holder: 'test' })
  let said = ''
  const state = await vi.waitFor(
    async () => {
      const { status } = await client.planView(plan.id)
      said = status.errors.map(({ remodel, message }) => `${remodel}: ${message}`).join('; ')
      expect(['done', 'failed'], said).toContain(status.state)
      return status.state
    },
    { timeout: limitMs, interval: 200 },
  )
  if (state === 'failed') sum.failed += 1
  return { state, said }
}

/** What a client of PostgreSQL sees is what was deployed, and there is nothing left to do. */
async function expectAsSaid(stage: Stage, page: Page, told: readonly string[]): Promise<void> {
  const { net, client } = stage
  for (const hosts of Object.values(page.nodes)) {
    const [[memory, recovering]] = (await ask(
      net,
      hosts,
      `SELECT current_setting('work_mem'), pg_is_in_recovery()`,
      'app',
    )) as [[string, boolean]]
    expect({ memory, recovering }, told.join('\n')).toEqual({ memory: page.settings?.work_mem, recovering: false })
    await ask(net, hosts, 'CREATE TEMP TABLE seen (x int)', 'app')
  }
  const again = await client.plan({ manifest: { name: 'shop.yml', content: documentOf({ net, ...page }) } })
  expect(
    again.plan.remodels.map(({ id }) => id),
    told.join('\n'),
  ).toEqual([])
}

async function inflict({ net, stack }: Stage, page: Page, { fault, at }: Chapter): Promise<void> {
  const vm = `db-shop-${at}`
  if (fault === 'none' || !Object.values(page.nodes).join('').includes(at)) return
  const machines = join(stack.home, 'machines')
  if (fault === 'frozen') return freeze(machines, vm)
  if (fault === 'killed') {
    process.kill(Number((await readFile(join(machines, 'vms', vm, 'pid'), 'utf8')).split(' ')[0]), 'SIGKILL')
  } else if (fault === 'server ended') {
    const connection = await stack.provider.connect(vm, null)
    await connection.stop(10_000)
    connection.close()
  } else {
    const hosts = Object.values(page.nodes).find((letters) => letters.includes(at))!
    const [name] = (await ask(net, hosts, 'SELECT subname FROM pg_subscription ORDER BY subname LIMIT 1')).flat()
    if (name !== undefined) await ask(net, hosts, `ALTER SUBSCRIPTION ${String(name)} DISABLE`)
  }
}
