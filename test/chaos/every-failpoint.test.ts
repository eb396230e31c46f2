import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Random } from '../sim/random.ts'
import { type SmallOptions, uploadSmall } from '../support/small.ts'
import { sweepDone } from './aftermath.ts'
import { type Failpoint, failpointsOf, listFailpoints, suiteOf, suitesOfKinds } from './failpoints.ts'
import { effectFaults, ledgerFaults, leftovers } from './oracles.ts'
import { wayTo } from './reach.ts'
import { ChaosStack } from './stack.ts'
import { User, type Wish } from './user.ts'

/**
 * Every durable boundary, one by one: the service that reaches it dies exactly there, another process takes
 * its place, and the work goes on. A failpoint that these deploys do not reach fails its test: reach.ts says
 * what more leads there.
 *
 * Most of a test is waiting until the dead worker's lock has run out, so several lanes run at once: each a Remodel of
 * its own with one process of each service, used by one test after the other.
 */
const lanesAtOnce = 3

interface Lane {
  stack: ChaosStack
  ledger: Ledger
  stemcells: number
}

const all: Promise<Lane>[] = []
const free: Lane[] = []
const waiting: ((lane: Lane) => void)[] = []

async function take(): Promise<Lane> {
  const idle = free.pop()
  if (idle) return idle
  if (all.length < lanesAtOnce) {
    const opened = open()
    all.push(opened)
    return opened
  }
  return new Promise((resolve) => waiting.push(resolve))
}

function give(lane: Lane): void {
  const next = waiting.shift()
  if (next) next(lane)
  else free.push(lane)
}

async function open(): Promise<Lane> {
  const stack = await ChaosStack.start({ counts: { planner: 1, compiler: 1, assembler: 1 }, restartMs: () => 0 })
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const ledger = await stack.openLedger(connectRedis(settings, 'service'), settings)
  await uploadSmall(stack.clients()[0]!)
  return { stack, ledger, stemcells: 3 }
}

afterAll(async () => {
  const lanes = await Promise.all(all)
  const left: string[] = []
  for (const { stack, ledger } of lanes) {
    await sweepDone(stack, ledger)
    for (const slot of stack.slots) await stack.retire(slot)
    left.push(...(await leftovers(stack.machines)))
    ledger.redis.disconnect()
    await stack.close()
  }
  expect(left).toEqual([])
})

/**
 * A deploy from nothing, then a hot swap: between them they pass every boundary. Compilers need something to compile.
 */
function wishesOf(point: Failpoint, lane: Lane): [SmallOptions, ...Wish[]] {
  const compiles = point.service === 'compiler' || point.name === 'dispatch.joined'
  const stemcell = compiles ? String(++lane.stemcells) : '1'
  const after = point.name.startsWith('run-post-deploy') ? { after: 'run' as const } : {}
  const fresh: SmallOptions = { net: 99, instances: 1, canaries: 0, stemcell, ...after }
  return [
    fresh,
    { ...fresh, stemcell: compiles ? stemcell : '2', vmType: 'large', vmStrategy: 'create-swap-delete' },
    'gone',
  ]
}

describe('a process that is killed at a failpoint', () => {
  const points = failpointsOf('deployment')

  test('there are failpoints', () => {
    expect(points.length).toBeGreaterThan(20)
  })

  test('that a kind brings is killed at by a suite of that kind', () => {
    const kinds = new Set(listFailpoints().map(suiteOf))
    const suites = new Set(suitesOfKinds())
    expect([...kinds].filter((kind) => !suites.has(kind))).toEqual([])
  })

  test.concurrent.for(points)(
    '$name: the deploy ends done, nothing is done twice, nothing is left',
    { timeout: 60_000 * points.length },
    async (point, { expect }) => {
      const lane = await take()
      const { stack, ledger } = lane
      const slot = stack.of(point.service)[0]!
      const arm = async (env: Record<string, string>) => {
        await stack.retire(slot)
        slot.stopped = false
        await stack.begin(slot, env)
      }
      let killed = false
      try {
        const wishes = wishesOf(point, lane)
        const way = wayTo(point.name)
        await arm({ ...way.env, REMODEL_FAILPOINTS: `${point.name}=kill` })
        const deployment = `at-${point.name.replace('.', '-')}`
        const user = new User(deployment, stack.clients(), new Random(1))
        const isKilled = async () => {
          const marks = await readdir(process.env.REMODEL_FAILPOINTS_REPORT ?? join(stack.home, 'marks'))
          return marks.some((mark) => mark.startsWith(`${point.name}.`))
        }
        const ground = { stack, ledger, user, fresh: wishes[0], killed: isKilled }
        await way.first?.(ground)
        for (const [i, wish] of wishes.entries()) {
          const until = performance.now() + 45_000
          const outcome = await user.fulfil(wish, () => until)
          expect(outcome).toMatchObject({ converged: true })
          expect(outcome.reasons.filter((reason) => reason.includes('failed'))).toEqual([])
          if (i === 0) await way.deployed?.(ground)
        }
        await way.gone?.(ground)
        expect(await ledgerFaults(ledger, deployment)).toEqual([])
        await way.last?.(ground)
        killed = await isKilled()
        expect(killed, 'it was killed there').toBe(true)
        expect(await effectFaults(stack.machines, new Set())).toEqual([])
        const owner = `deployment/${deployment}`
        expect([...(await stack.provider.listVms({ owner })), ...(await stack.provider.listDisks({ owner }))]).toEqual(
          [],
        )
      } finally {
        // One that was never reached must not kill in the next test.
        if (!killed) await arm({})
        give(lane)
      }
    },
  )
})
