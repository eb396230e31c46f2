import { readCases } from '../test/support/cases.ts'
import { type Graph, oneRelease, type Packages } from './compile/graph.ts'
import { type Deployed, openWorkshop, type Workshop } from './compile/workshop.ts'
import { run as realPackages } from './compile-c.ts'
import { atMost, type Figure, median, noted } from './figure.ts'

const bench = 'compile'

/**
 * Compiling through the real planner, compiler and assembler. Each package sleeps for its seconds, so the rest of the
 * time is Remodel's; the last ones are real.
 */
export async function run(): Promise<Figure[]> {
  return [
    ...(await emptyPackages()),
    ...(await chainAndLeaves()),
    ...(await twoReleases()),
    ...(await cloudFoundry()),
    ...(await realPackages()),
  ]
}

const empty = (count: number, run: number): Packages =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`p${n}`, { deps: [], seconds: 0, content: `empty ${run} ${n}` }]),
  )

async function emptyPackages(): Promise<Figure[]> {
  const first: number[] = []
  const whole: number[] = []
  const second: number[] = []
  const stood: number[] = []
  let vms = 0
  await inWorkshop(4, async (shop) => {
    for (let i = 0; i < 4; i++) {
      const graph = oneRelease(`trivial${i}`, empty(40, i))
      const cold = await shop.deploy(`first${i}`, graph, 60 + i)
      expectCompiled(cold, 40)
      const warm = await shop.deploy(`second${i}`, graph, 70 + i)
      expectCompiled(warm, 0)
      // The first one warms the code of all processes.
      if (i === 0) continue
      first.push(cold.compileMs)
      whole.push(cold.totalMs)
      second.push(warm.planMs)
      stood.push(warm.totalMs)
      vms = Math.max(vms, warm.vms)
    }
  })
  return [
    atMost(
      {
        bench,
        case: 'trivial-40: 40 empty packages, 4 workers',
        value: median(first) / 1000,
        unit: 's',
        against: 'BOSH 18 s; machines of the deploy before are reused',
      },
      1.5,
    ),
    noted({ bench, case: 'trivial-40, the whole deploy', value: median(whole) / 1000, unit: 's', against: 'itself' }),
    atMost(
      { bench, case: 'second deployment, compile machines', value: vms, unit: 'machines', against: 'none needed' },
      0,
    ),
    atMost(
      {
        bench,
        case: 'second deployment, compile part',
        value: median(second),
        unit: 'ms',
        against: 'asking for the plan until it is stored: finds that nothing is to be compiled',
      },
      300,
    ),
    noted({
      bench,
      case: 'second deployment, instance running',
      value: median(stood),
      unit: 'ms',
      against: 'itself',
    }),
  ]
}

async function chainAndLeaves(): Promise<Figure[]> {
  const packages: Packages = {}
  // Leaves come first by name: an order by names alone starts the chain last.
  for (let n = 0; n < 12; n++) packages[`a-leaf${n}`] = { deps: [], seconds: 3, content: `leaf ${n}` }
  for (let n = 0; n < 4; n++)
    packages[`chain${n}`] = { deps: n === 0 ? [] : [`chain${n - 1}`], seconds: 3, content: `chain ${n}` }
  return inWorkshop(4, async (shop) => {
    const deployed = await shop.deploy('chain', oneRelease('chain', packages))
    expectCompiled(deployed, 16)
    return [
      atMost(
        {
          bench,
          case: 'chain-4-leaves-12: 3 s each, 4 workers',
          value: deployed.compileMs / 1000,
          unit: 's',
          against: 'BOSH 32 s, bound 12 s',
        },
        14,
      ),
    ]
  })
}

async function twoReleases(): Promise<Figure[]> {
  const packages: Packages = { same: { deps: [], seconds: 2, content: 'same' } }
  return inWorkshop(4, async (shop) => {
    const both = await Promise.all([
      shop.deploy('left', oneRelease('left', packages), 70),
      shop.deploy('right', oneRelease('right', packages), 71),
    ])
    const scripts = new Set(both.flatMap((one) => one.scripts)).size
    return [
      atMost(
        { bench, case: 'same-package-two-releases, compiles', value: scripts, unit: 'compiles', against: 'BOSH 2' },
        1,
      ),
    ]
  })
}

interface CloudFoundry {
  releases: Record<string, Record<string, { deps: string[]; fingerprint: string | null; seconds: number }>>
  jobs: Record<string, Record<string, string[]>>
}

async function cloudFoundry(): Promise<Figure[]> {
  const text = readCases('bosh/cfgraph.json')
  if (text === null) return []
  const { releases, jobs } = JSON.parse(text) as CloudFoundry
  const graph: Graph = Object.fromEntries(
    Object.entries(releases).map(([release, packages]) => [
      release,
      {
        jobs: jobs[release] ?? {},
        packages: Object.fromEntries(
          Object.entries(packages).map(([name, { deps, fingerprint, seconds }]) => [
            name,
            { deps, seconds, content: fingerprint ?? `${release}/${name}` },
          ]),
        ),
      },
    ]),
  )
  return inWorkshop(6, async (shop) => {
    const deployed = await shop.deploy('cf', graph)
    return [
      atMost(
        {
          bench,
          case: 'cf-graph: packages of cf-deployment, 6 workers',
          value: deployed.compileMs / 1000,
          unit: 's',
          against: `BOSH 100 s, bound 57 s; ${deployed.compiled.length} compiled`,
        },
        64,
      ),
      noted({
        bench,
        case: 'cf-graph, the whole deploy of 27 instances',
        value: deployed.totalMs / 1000,
        unit: 's',
        against: 'BOSH 140 s',
      }),
    ]
  })
}

async function inWorkshop<T>(workers: number, work: (shop: Workshop) => Promise<T>): Promise<T> {
  const shop = await openWorkshop(workers)
  try {
    return await work(shop)
  } finally {
    await shop.stop()
  }
}

function expectCompiled(deployed: Deployed, count: number): void {
  if (deployed.compiled.length !== count)
    throw new Error(`${deployed.compiled.length} packages were compiled, not ${count}`)
}
