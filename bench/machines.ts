import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalProvider } from '../shared/provider/local/index.ts'
import { startServices } from '../test/support/services.ts'
import { removeSmall, uploadSmall } from '../test/support/small.ts'
import { deployTimed } from './deploy/timed.ts'
import { atMost, type Figure, medianOf, noted, percentile } from './figure.ts'

const bench = 'machines'

/** Making machines of the local provider, alone and as a deploy does it. */
export async function run(): Promise<Figure[]> {
  return [...(await bareMachines()), ...(await deployed())]
}

async function bareMachines(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  const provider = new LocalProvider({ directory })
  const made: number[] = []
  const gone: number[] = []
  try {
    await provider.check()
    const stemcell = await provider.importStemcell({ name: 'local', version: '1' })
    for (let i = 0; i < 41; i++) {
      const id = `vm-${i}`
      const ownership = { owner: 'deployment/bench', purpose: 'bench' }
      const started = performance.now()
      await provider.createVm(
        { id, stemcell, addresses: [], network: 'shared', resources: {}, ownership },
        { scope: id, number: 1 },
      )
      const between = performance.now()
      await provider.deleteVm(id, null)
      // The first one warms the machine's caches.
      if (i > 0) made.push(between - started)
      if (i > 0) gone.push(performance.now() - between)
    }
  } finally {
    for (const vm of await provider.listVms()) await provider.deleteVm(vm.id, null)
    await rm(directory, { recursive: true, force: true })
  }
  const against = '40 one after another, agent answers'
  return [
    noted({ bench, case: 'local VM made, p50', value: percentile(made, 50), unit: 'ms', against }),
    noted({ bench, case: 'local VM made, p95', value: percentile(made, 95), unit: 'ms', against }),
    noted({ bench, case: 'local VM deleted, p50', value: percentile(gone, 50), unit: 'ms', against }),
  ]
}

async function deployed(): Promise<Figure[]> {
  const stack = await startServices()
  try {
    const client = stack.client()
    await uploadSmall(client)
    // Compiles the packages: what is left is machines.
    await deployTimed(client, { name: 'first', net: 80, instances: 1, disk: 0 })
    let serial = 0
    const one = await medianOf(async () => {
      const name = `one${++serial}`
      const { runMs } = await deployTimed(client, { name, net: 80 + serial, instances: 1, disk: 0 })
      await removeSmall(client, name)
      return runMs
    })
    const fifty = await medianOf(async () => {
      const name = `fifty${++serial}`
      const { runMs } = await deployTimed(client, {
        name,
        net: 80 + serial,
        instances: 50,
        disk: 0,
        canaries: 0,
        maxInFlight: 50,
      })
      await removeSmall(client, name)
      return runMs
    }, 3)
    return [
      atMost(
        {
          bench,
          case: 'one instance: VM, two packages, job running',
          value: one,
          unit: 'ms',
          against: 'a whole deploy: five remodels, 50 ms of watching included',
        },
        300,
      ),
      noted({
        bench,
        case: '50 instances from nothing',
        value: fifty / 1000,
        unit: 's',
        against: 'a whole deploy, packages compiled; no container engine on this machine to compare with',
      }),
    ]
  } finally {
    await stack.stop()
  }
}
