import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWorkshop } from './compile/workshop.ts'
import { dependenciesOf, levelsOf, makespan } from './compile-c/make.ts'
import { layOutRelease } from './compile-c/sources.ts'
import { atMost, type Figure, median, noted } from './figure.ts'

const bench = 'compile'
const workers = 2
const pairs = 5

/**
 * Real C libraries and programs on top of each other, compiled by Remodel on two compile VMs and by `make -j2`
 * with the same scripts. They take turns, who is first too: what else goes on on the machine hits both. The
 * first pair is not counted.
 */
export async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-c-'))
  const release = join(folder, 'release')
  await layOutRelease(release)
  const graph = await dependenciesOf(release)
  const shop = await openWorkshop(workers)
  try {
    const [ours, makes, ratios]: [number[], number[], number[]] = [[], [], []]
    for (let n = 0; n <= pairs; n++) {
      const compile = async () => {
        const { compileMs, compiled } = await shop.deployRelease(`c${n}`, {
          path: release,
          jobs: ['all'],
          stemcell: `${n + 1}`,
        })
        if (compiled.length !== graph.size)
          throw new Error(`${compiled.length} packages were compiled, not ${graph.size}`)
        return compileMs
      }
      const make = () => makespan(release, workers)
      const first = n % 2 === 0 ? [await compile(), await make()] : [await make(), await compile()].reverse()
      const [our, their] = first as [number, number]
      console.error(`pair ${n}: ${(our / 1000).toFixed(1)} s on compile VMs, ${(their / 1000).toFixed(1)} s by make`)
      if (n === 0) continue
      ours.push(our)
      makes.push(their)
      ratios.push(our / their)
    }
    const what = `${graph.size} packages, ${levelsOf(graph)} levels`
    return [
      noted({ bench, case: `C packages, make -j${workers}`, value: median(makes) / 1000, unit: 's', against: what }),
      noted({ bench, case: `C packages, ${workers} workers`, value: median(ours) / 1000, unit: 's', against: what }),
      atMost(
        {
          bench,
          case: `${graph.size} C packages over make -j${workers}`,
          value: median(ratios),
          unit: 'ratio',
          against: `make -j${workers} with the same scripts, in turns: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`,
        },
        1.05,
      ),
    ]
  } finally {
    await shop.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
