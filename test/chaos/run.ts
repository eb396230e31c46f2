import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Random } from '../sim/random.ts'
import { uploadSmall } from '../support/small.ts'
import { floorplanFaults, forgotten, stuck, sweepDone } from './aftermath.ts'
import { failpointsOf, killedAt } from './failpoints.ts'
import { faults, type Scene } from './faults.ts'
import { Follower } from './follow.ts'
import { blobFaults, effectFaults, ledgerFaults, leftovers } from './oracles.ts'
import { healTable, percentile, type Report } from './report.ts'
import { ChaosStack } from './stack.ts'
import { nextWish, type Outcome, User, type Wish } from './user.ts'

export interface ChaosOptions {
  /** How long faults are thrown. */
  seconds: number
  seed: number
  /** Kinds of faults to draw from; all by default. */
  kinds?: string[]
  /** Seconds between two faults, drawn in between. */
  gap?: [number, number]
  deployments?: number
  /** Seconds after the last fault in which everything has to be as it was wished. */
  healWithin?: number
  log?: (line: string) => void
  /** Ends the run at once; everything is taken away. */
  stop?: AbortSignal
  /** Called before everything is taken away, where an oracle found something. */
  keep?: (home: string, report: Report) => Promise<void>
}

/**
 * A chaos run. Phase one: users deploy, change and remove, while faults drawn from the seed hit everything.
 * Phase two: all faults are taken back, and every wish has to come true within a bound; then everything is
 * removed, and nothing may be left.
 */
export async function chaos(options: ChaosOptions): Promise<Report> {
  const { seconds, seed, healWithin = 60, deployments = 3, log = () => {} } = options
  const random = new Random(seed)
  const began = performance.now()
  const say = (line: string) => log(`${((performance.now() - began) / 1000).toFixed(2).padStart(7)} ${line}`)
  const restarts = random.fork('restarts')
  const armed = new Map<string, string>()
  let healing = false
  const stack = await ChaosStack.start({
    counts: { planner: 2, compiler: 3, assembler: 2 },
    restartMs: () => (healing ? 0 : restarts.int(0, 1000)),
    env: (slot) => {
      const arming = armed.get(slot.name)
      armed.delete(slot.name)
      return arming && !healing ? { REMODEL_FAILPOINTS: arming, REMODEL_FAILPOINTS_ONCE: join(stack.home, 'once') } : {}
    },
    ended: (slot, how) => say(`  ${slot.name} ended: ${how}`),
  })
  const follower = new Follower(stack.redis.url)
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const redis = connectRedis(settings, 'service')
  const ledger = await stack.openLedger(redis, settings)
  const outcomes: Outcome[] = []
  const violations: string[] = []
  let until = Number.POSITIVE_INFINITY
  const faultsByKind: Record<string, number> = {}
  const stopped = new Promise<never>((_, reject) => {
    options.stop?.addEventListener('abort', () => reject(options.stop?.reason))
  })
  stopped.catch(() => {})
  try {
    return await Promise.race([stopped, play()])
  } finally {
    until = 0
    follower.close()
    redis.disconnect()
    await stack.close()
  }

  async function play(): Promise<Report> {
    const names = Array.from({ length: deployments }, (_, i) => `chaos${i + 1}`)
    const [first] = stack.clients()
    await uploadSmall(first!)
    const failpoints = failpointsOf('deployment')
    const scene: Scene = {
      stack,
      ledger,
      follower,
      random: random.fork('faults'),
      killedVms: new Set(),
      failpointsOf: (service) => failpoints.filter((one) => one.service === service).map(({ name }) => name),
      armed,
      log: say,
    }
    for (const name of names) follower.follow(name)

    const faultsEnd = performance.now() + seconds * 1000
    let stemcells = 3
    const lastWishes = new Map<string, Wish>()
    const users = names.map((name, i) => ({
      user: new User(name, stack.clients(), random.fork(`user ${name}`)),
      net: 90 + i,
    }))
    const work = async (user: User, wish: Wish) => {
      const outcome = await user.fulfil(wish, () => until)
      outcomes.push(outcome)
      lastWishes.set(user.deployment, wish)
      const what = wish === 'gone' ? 'gone' : JSON.stringify(wish)
      say(
        `${user.deployment} ${outcome.converged ? 'has' : 'HAS NOT'} ${what} after ${outcome.ms} ms, ${outcome.plans} plans`,
      )
      for (const reason of outcome.reasons) say(`    ${reason}`)
      if (!outcome.converged)
        violations.push(`${user.deployment} did not converge: ${outcome.reasons.at(-2)} / ${outcome.reasons.at(-1)}`)
    }
    const living = users.map(async ({ user, net }) => {
      const draws = random.fork(`wishes ${user.deployment}`)
      let wish: Wish = 'gone'
      while (performance.now() < faultsEnd && performance.now() < until) {
        wish = nextWish(wish, draws, () => String(++stemcells), net)
        await work(user, wish)
      }
    })

    // Phase one.
    const acting = new Set<Promise<void>>()
    const weights = Object.entries(faults).filter(([kind]) => options.kinds?.includes(kind) ?? true)
    const draws = random.fork('kinds')
    const [shortest, longest] = options.gap ?? [0.5, 2.5]
    const busy = new Set<string>()
    while (performance.now() < faultsEnd) {
      await sleep(draws.between(shortest, longest) * 1000)
      const [kind, fault] = drawn(weights, draws.next())
      // Two hands on one Redis would fight over its process.
      const alone = /redis$|^truncate-aof|^promote-replica/.test(kind) ? 'redis' : kind
      if (busy.has(alone)) continue
      busy.add(alone)
      const act = fault
        .run(scene)
        .then((what) => {
          if (what === null) return
          faultsByKind[kind] = (faultsByKind[kind] ?? 0) + 1
          say(`! ${kind}: ${what}`)
        })
        .catch((error) => {
          violations.push(`the fault ${kind} itself failed: ${error}`)
        })
        .finally(() => {
          busy.delete(alone)
          acting.delete(act)
        })
      acting.add(act)
    }

    // Phase two.
    await Promise.all(acting)
    healing = true
    armed.clear()
    for (const { name } of failpoints) await writeFile(join(stack.home, 'once', name), '')
    for (const slot of stack.slots) {
      slot.proxy.calm()
      slot.signal('SIGCONT')
    }
    say('-- healed')
    until = performance.now() + healWithin * 1000
    await Promise.all(living)
    until = performance.now() + healWithin * 1000
    await Promise.all(users.map(({ user }) => work(user, lastWishes.get(user.deployment)!)))
    for (const { user } of users)
      violations.push(...(await floorplanFaults(user, lastWishes.get(user.deployment)!, stack, ledger)))
    if (violations.length > 0) violations.push(...(await stuck(ledger, names)))
    until = performance.now() + healWithin * 1000
    await Promise.all(users.map(({ user }) => work(user, 'gone')))
    for (const { user } of users) violations.push(...(await unanswered(user)))
    const openWounds = follower.open()

    const lost: string[] = []
    for (const name of names)
      lost.push(...(await ledgerFaults(ledger, name)), ...(await forgotten(ledger, name, follower)))
    const duplicates = await effectFaults(stack.machines, scene.killedVms)
    violations.push(...lost, ...duplicates, ...(await blobFaults(stack.home)))
    violations.push(...openWounds.map((kind) => `what ${kind} hit never went on`))
    await sweepDone(stack, ledger)
    for (const slot of stack.slots) {
      if (!(await stack.retire(slot))) violations.push(`${slot.name} did not leave in order`)
    }
    const left = await leftovers(stack.machines)
    violations.push(...left.map((what) => `left over: ${what}`))
    const marks = await killedAt(process.env.REMODEL_FAILPOINTS_REPORT ?? join(stack.home, 'marks'))
    const ms = follower.healed.map((sample) => sample.ms)
    const report: Report = {
      deploys: outcomes.length,
      faults: Object.values(faultsByKind).reduce((sum, n) => sum + n, 0),
      converged: outcomes.filter((outcome) => outcome.converged).length,
      duplicateEffects: duplicates.length,
      leakedVms: left.length,
      lostEvents: lost.length,
      healSecondsP95: Math.round(percentile(ms, 95)) / 1000,
      seed,
      faultsByKind,
      healSeconds: healTable(follower.healed),
      plans: outcomes.reduce((sum, outcome) => sum + outcome.plans, 0),
      rolledBackEvents: follower.rolledBack,
      failpointsKilled: Object.fromEntries([...marks].filter(([, times]) => times > 0)),
      violations,
    }
    if (violations.length > 0) await options.keep?.(stack.home, report)
    return report
  }

  async function unanswered(user: User): Promise<string[]> {
    const deployments = await user.ask((client) => client.deployments())
    return deployments
      .filter(({ name }) => name === user.deployment)
      .map(({ name }) => `${name} is removed and still listed`)
  }
}

type Entry = [kind: string, fault: (typeof faults)[string]]

/** One of them, as often as its weight says; `at` is in [0, 1). */
function drawn(all: Entry[], at: number): Entry {
  let left = at * all.reduce((sum, [, { weight }]) => sum + weight, 0)
  for (const entry of all) {
    left -= entry[1].weight
    if (left < 0) return entry
  }
  return all[0]!
}
