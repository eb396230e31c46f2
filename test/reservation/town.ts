import type { Redis } from 'ioredis'
import type { KindRegistry } from '../../kinds/registry.ts'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { takeDeployRequest } from '../../services/planner/planning/deploy-request.ts'
import { LockWaiters } from '../../services/planner/planning/lock-waiters.ts'
import { Planning } from '../../services/planner/planning/planning.ts'
import { Settling } from '../../services/planner/planning/reservations/settling.ts'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { RedisDurations } from '../../shared/compilation/durations.ts'
import { PrewarmHints } from '../../shared/compilation/prewarm-hints.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { connectRedis, type RedisSettings } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import { openKinds } from '../support/kinds.ts'
import { steps } from './steps.ts'

/** One planner of several, on a Redis of the test's, for deployments that nothing but addresses matter of. */
export interface Town {
  redis: Redis
  ledger: Ledger
  planning: Planning
  settling: Settling
  /** Takes names back from every plan that is not open this very moment. */
  impatient: Settling
  order(
    name: string,
    more?: { instances?: number; network?: string; statics?: string },
  ): Parameters<Planning['plan']>[0]
  /** Takes a request of the `deploys` queue as a planner does: plans it, applies it, plans again where it must. */
  takes(name: string, more?: { instances?: number }): ReturnType<typeof takeDeployRequest>
  /** Carries out all that is ready until nothing is. `fails` names remodels that end badly. */
  run(deployment: string, plan: string, fails?: (id: string) => boolean): Promise<void>
  close(): void
}

export async function openTown(settings: RedisSettings, range?: string): Promise<Town> {
  const town = townOn({ redis: connectRedis(settings, 'service'), settings, kinds: await openKinds() }, range)
  await new Catalog(town.redis, settings).addStemcell(stemcell)
  return town
}

/** The stemcell of all orders. */
export const stemcell = { name: 'jammy', os: 'ubuntu-jammy', version: '1.1' }

interface Ground {
  redis: Redis
  settings: RedisSettings
  kinds: KindRegistry
}

/** The same on a connection that the caller has opened; the caller uploads the stemcell. */
export function townOn({ redis, settings, kinds }: Ground, range = '10.0.0.0/16'): Town {
  const ledger = new Ledger(redis, settings)
  const catalog = new Catalog(redis, settings)
  const cloud = (cloudName?: string) =>
    JSON.stringify({
      vm_types: [{ name: 'small' }],
      networks: [
        {
          name: 'net',
          subnets: [{ range, static: `${range.split('.').slice(0, 3).join('.')}.203`, ...named(cloudName) }],
        },
      ],
      compilation: { workers: 1, network: 'net', vm_type: 'small' },
    })
  const provider = { listVms: async () => [], listDisks: async () => [] } as unknown as Provider
  const planning = new Planning({
    ledger,
    kinds,
    catalog,
    provider,
    compiled: new RedisCompiledIndex(redis, settings),
    durations: new RedisDurations(redis, settings),
    prewarm: new PrewarmHints(redis, settings),
    waiters: new LockWaiters(redis),
    // Documents of these deployments have no secrets to keep, and none is rolled back.
    stores: {
      redis,
      settings,
      blobs: { put: async () => ({ digest: 'sha256:order', size: 0 }) } as unknown as Blobstore,
    },
    secrets: new Secrets(Buffer.alloc(32)),
    observer: 'planner-1',
  })
  const order: Town['order'] = (name, { instances = 1, network, statics } = {}) => ({
    manifest: {
      name: `${name}.yml`,
      content: JSON.stringify({
        name,
        releases: [],
        stemcells: [{ alias: 'default', os: 'ubuntu-jammy', version: '1.1' }],
        update: { canaries: 0, max_in_flight: 10, canary_watch_time: 1, update_watch_time: 1 },
        instance_groups: [
          {
            name: 'web',
            instances,
            vm_type: 'small',
            stemcell: 'default',
            jobs: [],
            networks: [{ name: 'net', ...(statics ? { static_ips: [statics] } : {}) }],
          },
        ],
      }),
    },
    cloudConfigs: [{ name: 'cloud.yml', content: cloud(network) }],
    releases: [],
    options: {},
  })
  return {
    redis,
    ledger,
    planning,
    settling: new Settling(ledger, kinds),
    impatient: new Settling(ledger, kinds, { openWithinSeconds: -1 }),
    order,
    takes: (name, more) => {
      const { options: _, ...asked } = order(name, more)
      const payload = { ...asked, cloudConfigs: [...asked.cloudConfigs], releases: [], by, message: '' }
      return takeDeployRequest({ ...payload, id: name, options: { recreate: false, skipDrain: false } }, planning)
    },
    run: (deployment, plan, fails = () => false) => steps(ledger, deployment, plan, fails),
    close: () => redis.disconnect(),
  }
}

const by = { kind: 'service', name: 'test' } as const

const named = (name: string | undefined) => (name === undefined ? {} : { cloud_properties: { name } })

/** The addresses of the machines that a plan makes. */
export function addressesOf(plan: Plan): string[] {
  return plan.remodels.flatMap(({ step, input }) =>
    step === 'create-vm'
      ? (input as { vm: { networks: { address: string }[] } }).vm.networks.map(({ address }) => address)
      : [],
  )
}
