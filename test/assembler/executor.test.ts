import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineStep, type Step, type StepContext } from '../../kinds/contract/step.ts'
import { execute, type Tools } from '../../services/assembler/executor.ts'
import { Hands } from '../../services/assembler/hands.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { OwedFences } from '../../shared/ledger/owed.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { inVersion } from '../../shared/model/input-version.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { JobFailure } from '../../shared/queue/failure.ts'
import { jobId } from '../../shared/queue/payloads.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import { person } from '../support/actors.ts'
import { planOf, released, remodel } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let home: string
let ledger: Ledger
let board: EndedJobs
const subscribers: Redis[] = []
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  home = await mkdtemp(join(tmpdir(), 'remodel-carry-'))
  ledger = new Ledger(connectRedis(settings(), 'service'), settings())
  board = new EndedJobs(ledger.redis, settings())
})

afterAll(async () => {
  for (const subscriber of subscribers) subscriber.disconnect()
  ledger.redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

/** An assembler's half that carries out jobs; `apply` is what every step does. */
async function toolsWith(apply: (context: StepContext) => ReturnType<Step['apply']>): Promise<Tools> {
  const step = defineStep({
    input: z.unknown(),
    look: async () => null,
    apply,
    verify: async ({ material }) => ({ floorplan: { [material]: { attributes: {}, version: '1' } as never } }),
  })
  const provider = new LocalProvider({ directory: join(home, 'machines') })
  return {
    provider,
    owed: new OwedFences(ledger, provider),
    blobs: await DiskBlobstore.open(join(home, 'blobs')),
    compiled: new RedisCompiledIndex(ledger.redis, settings()),
    stores: { redis: ledger.redis, settings: settings(), blobs: await DiskBlobstore.open(join(home, 'blobs')) },
    secrets: await Secrets.open(home),
    steps: { find: async () => step },
    heartbeat: new Heartbeat(ledger.redis, settings(), 'w'),
    ledger,
    recorder: new Recorder(ledger, 'w'),
    aborts: new Aborts(ledger.redis, ledger),
    hands: new Hands(ledger),
    worker: 'w',
    board,
    // However busy the machine is.
    goOnMs: 60_000,
    leaving: { begun: false, signal: new AbortController().signal },
    log: pino({ level: 'silent' }),
  }
}

async function open(deployment: string, drafts = [remodel('a')]): Promise<string> {
  const plan = await ledger.store(planOf(deployment, drafts), Date.now())
  await ledger.open(deployment, plan.id, { by: person('test'), message: '' })
  return plan.id
}

const never = new AbortController().signal

test('a job goes on to what it made ready, and reports each', async () => {
  const plan = await open('chain', [remodel('a'), remodel('b', ['a'])])
  const job = { deployment: 'chain', plan, remodel: 'a', release: 1 }
  expect(await execute(job, 'assemble', never, await toolsWith(async () => {}))).toBe('done')
  expect((await ledger.planRecord('chain', plan)).state).toBe('done')
})

/** What the queue `assemble` shows of a plan: state, name and what it came to. */
async function shownOf(plan: string): Promise<string[]> {
  await board.settled()
  const queues = new Queues(ledger.redis, settings())
  try {
    const found: string[] = []
    for (const state of ['completed', 'failed', 'prioritized'] as const)
      for (const { name, data, failedReason, returnvalue } of await queues.get('assemble').getJobs(state))
        if (data.plan === plan) found.push(`${state} ${name}: ${failedReason ?? returnvalue ?? ''}`)
    return found.toSorted()
  } finally {
    await queues.close()
  }
}

test('what a job went on to stands on the board under its own name and outcome', async () => {
  const plan = await open('seen', [remodel('a'), remodel('b', ['a']), remodel('c', ['b']), remodel('d', ['c'])])
  const job = { deployment: 'seen', plan, remodel: 'a', release: 1 }
  let steps = 0
  const tools = await toolsWith(async () => {
    if (++steps === 3) throw new RemodelError('job-failed', 'it broke', { details: { log: 'the last line' } })
  })
  expect(await execute(job, 'assemble', never, tools)).toBe('done')
  expect(await shownOf(plan)).toEqual(['completed seen: b: done', 'failed seen: c: job-failed: it broke'])
  const queues = new Queues(ledger.redis, settings())
  const { logs } = await queues.get('assemble').getJobLogs(jobId(plan, 'c', 1))
  expect(logs).toEqual(['the last line'])
  await queues.close()
})

test('what was published and then taken along is no longer handed to a worker, and running work keeps its job', async () => {
  const plan = await open('waits', [remodel('a'), remodel('b'), remodel('c')])
  const queues = new Queues(ledger.redis, settings())
  const queue = queues.get('assemble')
  const data = (id: string) => ({ deployment: 'waits', plan, remodel: id, release: 1 })
  await queue.add('waits: b', data('b'), { jobId: jobId(plan, 'b', 1), priority: 1 })
  await queue.add('waits: c', data('c'), { jobId: jobId(plan, 'c', 1), delay: 60_000 })
  await execute(data('a'), 'assemble', never, await toolsWith(async () => {}))
  expect(await shownOf(plan)).toEqual(['completed waits: b: done', 'completed waits: c: done'])
  expect(await queue.getJobState(jobId(plan, 'b', 1))).toBe('completed')
  expect(await queue.getJobState(jobId(plan, 'c', 1))).toBe('delayed')
  await queue.obliterate({ force: true })
  await queues.close()
})

test('a job that is delivered again after its remodel failed shows why that failed', async () => {
  const plan = await open('twice')
  const job = { deployment: 'twice', plan, remodel: 'a', release: 1 }
  const breaks = await toolsWith(async () => {
    throw new RemodelError('job-failed', 'it broke', { details: { log: 'the last line' } })
  })
  const failure = new JobFailure('job-failed: it broke', 'the last line')
  expect(await execute(job, 'assemble', never, breaks)).toEqual(failure)
  expect(await execute(job, 'assemble', never, breaks)).toEqual(failure)
})

test('a job whose report the ledger refuses fails, so that it comes again', async () => {
  const plan = await open('forgotten')
  const job = { deployment: 'forgotten', plan, remodel: 'a', release: 1 }
  // What a Redis that came back older does to a claim: it never happened.
  const forget = async () => {
    const key = `${ledger.base('forgotten')}:plan:${plan}`
    await ledger.redis.multi().hset(`${key}:state`, 'a', 'released').hdel(`${key}:runs`, 'a').exec()
  }
  const refused = execute(job, 'assemble', never, await toolsWith(forget))
  await expect(refused).rejects.toMatchObject({ code: 'superseded' })
  expect((await ledger.planRecord('forgotten', plan)).counts.done).toBe(0)
})

test('a worker without its lock reports nothing', async () => {
  const plan = await open('lost')
  const job = { deployment: 'lost', plan, remodel: 'a', release: 1 }
  const lock = new AbortController()
  const lost = execute(job, 'assemble', lock.signal, await toolsWith(async () => lock.abort(new Error('lost'))))
  await expect(lost).rejects.toThrow('lost')
  const [record] = await ledger.remodelRecords('lost', plan)
  expect(record).toMatchObject({ state: 'running', attempt: 1 })
})

/** Tools whose worker hears of cancellations. */
async function listening(apply: (context: StepContext) => Promise<void>): Promise<Tools> {
  const subscriber = connectRedis(settings(), 'service')
  const aborts = new Aborts(subscriber, ledger)
  await aborts.start(settings())
  subscribers.push(subscriber)
  return { ...(await toolsWith(apply)), aborts }
}

const onceAborted = (signal: AbortSignal) =>
  signal.aborted ? Promise.resolve() : new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

test('a step that is cancelled before its point of no return undoes what it did, and is not done', async () => {
  const plan = await open('before')
  const did: string[] = []
  const tools = await listening(async ({ signal, pointOfNoReturn }) => {
    did.push('began')
    await ledger.cancel('before', plan, person('test'))
    await onceAborted(signal)
    try {
      await pointOfNoReturn()
      did.push('went on')
    } catch (error) {
      did.push('undone')
      throw error
    }
  })
  const job = { deployment: 'before', plan, remodel: 'a', release: 1 }
  expect(await execute(job, 'assemble', never, tools)).toMatchObject({ reason: expect.stringContaining('cancelled') })
  expect(did).toEqual(['began', 'undone'])
  expect((await ledger.planRecord('before', plan)).state).toBe('cancelled')
})

test('a cancellation that the ledger knows of, and the worker does not, is heard at the point of no return', async () => {
  const plan = await open('unheard')
  const tools = await toolsWith(async ({ pointOfNoReturn }) => {
    await ledger.cancel('unheard', plan, person('test'))
    await pointOfNoReturn()
    throw new Error('went on')
  })
  const job = { deployment: 'unheard', plan, remodel: 'a', release: 1 }
  await execute(job, 'assemble', never, tools)
  const { state, counts } = await ledger.planRecord('unheard', plan)
  expect({ state, counts }).toMatchObject({ state: 'cancelled', counts: { skipped: 1, failed: 0 } })
})

test('behind its point of no return a step is neither cancelled nor late, and its end is recorded', async () => {
  const draft = { ...remodel('a'), deadlineSeconds: 0.2 }
  const plan = await open('behind', [draft])
  const tools = await listening(async ({ signal, pointOfNoReturn }) => {
    await pointOfNoReturn()
    await ledger.cancel('behind', plan, person('test'))
    await sleep(500)
    expect(await ledger.expire('behind', plan, 0)).toEqual([])
    expect(signal.aborted).toBe(false)
  })
  const job = { deployment: 'behind', plan, remodel: 'a', release: 1 }
  expect(await execute(job, 'assemble', never, tools)).toBe('done')
  expect((await ledger.planRecord('behind', plan)).counts.done).toBe(1)
})

test('an attempt that crashed behind its point of no return is begun again though its plan is cancelled', async () => {
  const plan = await open('crashed')
  const [first] = await ledger.claim('crashed', 'gone', [{ plan, remodel: 'a', job: 'a.1' }])
  if (first?.status !== 'claimed') throw new Error('not claimed')
  const at = { plan, remodel: 'a', fence: first.claim.fence }
  expect(await ledger.complete('crashed', [{ ...at, outcome: 'no-return' }])).toEqual([{ status: 'recorded' }])
  await ledger.cancel('crashed', plan, person('test'))
  expect(await ledger.expire('crashed', plan, 0, { gone: ['gone'] })).toEqual(['a'])
  const again = await toolsWith(({ pointOfNoReturn }) => pointOfNoReturn())
  expect(await execute({ deployment: 'crashed', plan, remodel: 'a', release: 2 }, 'assemble', never, again)).toBe(
    'done',
  )
})

const jobOf = (deployment: string, plan: string, release = 1) => ({ deployment, plan, remodel: 'a', release })

async function stateOf(deployment: string, plan: string) {
  const [record] = await ledger.remodelRecords(deployment, plan)
  return record!
}

describe('a step that says not yet', () => {
  test('ends its attempt, and another worker goes on with it when its time has come', async () => {
    const plan = await open('patient', [remodel('a', [], { attempts: 1 })])
    const looks: number[] = []
    const tools = await toolsWith(async ({ fence }) => {
      looks.push(fence.number)
      return looks.length < 3 ? { for: 'the copy', afterMs: 0 } : undefined
    })
    expect(await execute(jobOf('patient', plan), 'assemble', never, tools)).toBe('waits for the copy')
    expect(await stateOf('patient', plan)).toMatchObject({ state: 'waiting', waitsFor: 'the copy', worker: null })
    for (const release of [2, 3]) {
      await released(ledger, 'patient', plan)
      await execute(jobOf('patient', plan, release), 'assemble', never, { ...tools, hands: new Hands(ledger) })
    }
    expect(looks).toHaveLength(3)
    expect((await ledger.planRecord('patient', plan)).state).toBe('done')
  })
})

describe('a worker that is older than the plan', () => {
  const knows = async (step: Partial<Step> | null) => {
    const usual = await toolsWith(async () => {})
    const [known] = [await usual.steps.find('test', 'nothing')]
    return { ...usual, steps: { find: async () => step && ({ ...known, ...step } as Step) } }
  }
  const cases = [
    { what: 'the step', tools: () => knows(null), draft: {}, text: 'knows step nothing of kind test' },
    {
      what: 'its version',
      tools: () => knows({}),
      draft: { version: 2 },
      text: 'step nothing of kind test in version 2',
    },
    {
      what: 'its input',
      tools: () => knows({ input: z.object({ lately: z.string() }) }),
      draft: {},
      text: 'can read its input (lately: ',
    },
  ]
  for (const [i, { what, tools, draft, text }] of cases.entries()) {
    test(`and does not know ${what} leaves it to one that does`, async () => {
      const name = `strange${i}`
      const plan = await open(name, [remodel('a', [], { attempts: 1, ...draft })])
      expect(await execute(jobOf(name, plan), 'assemble', never, await tools())).toContain(
        `not mine: it needs a worker`,
      )
      const { state, attempt, waitsFor } = await stateOf(name, plan)
      expect({ state, attempt }).toEqual({ state: 'waiting', attempt: 0 })
      expect(waitsFor).toContain(text)
      await released(ledger, name, plan)
      expect(
        await execute(jobOf(name, plan, 2), 'assemble', never, await knows({ input: inVersion(2, z.unknown()) })),
      ).toBe('done')
    })
  }

  test('and takes a remodel again and again passes it on without delay while a worker lives that knows it', async () => {
    const plan = await open('passed', [remodel('a', [], { attempts: 1, queue: 'assemble', version: 2 })])
    const seats = { queue: 'assemble', concurrency: 1, steps: { 'test/nothing': 2 } }
    const newer = new Heartbeat(ledger.redis, settings(), 'newer', seats)
    await newer.start()
    const tools = await knows({})
    for (let release = 1; release <= 6; release++) {
      await released(ledger, 'passed', plan)
      await execute(jobOf('passed', plan, release), 'assemble', never, tools)
    }
    const { dueMs } = await ledger.advance('passed', plan)
    expect(dueMs).toBeLessThanOrEqual(250)
    await newer.stop()
  })

  test('and does not know its format leaves it to one that does', async () => {
    const plan = await open('format')
    await ledger.redis.hset(`${ledger.base('format')}:plan:${plan}`, 'format', 2)
    await execute(jobOf('format', plan), 'assemble', never, await toolsWith(async () => {}))
    expect(await stateOf('format', plan)).toMatchObject({
      state: 'waiting',
      waitsFor: 'a worker that knows plans of format 2',
    })
  })

  test('and does not know its format leaves it to others less and less often, though workers live that know the step', async () => {
    const plan = await open('formats', [remodel('a', [], { attempts: 1, queue: 'assemble' })])
    await ledger.redis.hset(`${ledger.base('formats')}:plan:${plan}`, 'format', 2)
    const seats = { queue: 'assemble', concurrency: 1, steps: { 'test/nothing': 1 } }
    const other = new Heartbeat(ledger.redis, settings(), 'other', seats)
    await other.start()
    const tools = await toolsWith(async () => {})
    for (let release = 1; release <= 4; release++) {
      await released(ledger, 'formats', plan)
      await execute(jobOf('formats', plan, release), 'assemble', never, tools)
    }
    expect((await ledger.advance('formats', plan)).dueMs).toBeGreaterThan(500)
    await other.stop()
  })
})

test('a remodel that a machine refuses for its fence is begun again under a larger one, and no attempt is used', async () => {
  const plan = await open('refused', [remodel('a', [], { attempts: 1 })])
  let seen = 0
  const tools = await toolsWith(async ({ fence }) => {
    if (seen === 0) seen = fence.number + 512 * 1000
    if (fence.number < seen) throw new RemodelError('superseded', `it was shown fence ${seen}`)
  })
  expect(await execute(jobOf('refused', plan), 'assemble', never, tools)).toContain('given back: it was shown')
  expect((await ledger.planRecord('refused', plan)).state).toBe('running')
  // The clock may not have come so far by the first time; the second time it leaps further.
  let said: unknown
  for (let release = 2; release <= 3 && said !== 'done'; release++) {
    await released(ledger, 'refused', plan)
    said = await execute(jobOf('refused', plan, release), 'assemble', never, tools)
  }
  expect(said).toBe('done')
})

for (const point of ['before', 'behind'] as const) {
  test(`a worker that leaves hands back its remodel ${point} its point of no return, and uses no attempt`, async () => {
    const name = `leave-${point}`
    const plan = await open(name, [remodel('a', [], { attempts: 1 })])
    const leave = new AbortController()
    const tools = await toolsWith(async ({ signal, pointOfNoReturn }) => {
      if (point === 'behind') await pointOfNoReturn()
      leave.abort(new RemodelError('unavailable', 'its worker leaves'))
      await onceAborted(signal)
      throw new RemodelError('job-failed', 'it was killed')
    })
    const said = await execute(jobOf(name, plan), 'assemble', never, {
      ...tools,
      leaving: { begun: true, signal: leave.signal },
    })
    expect(said).toBe('given back: its worker leaves')
    expect(await stateOf(name, plan)).toMatchObject({ state: 'released', attempt: 0 })
    await released(ledger, name, plan)
    expect(await execute(jobOf(name, plan, 2), 'assemble', never, await toolsWith(async () => {}))).toBe('done')
  })
}
