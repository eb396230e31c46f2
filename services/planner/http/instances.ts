import type { Kind, Looking, RecordedInstance } from '../../../kinds/contract/kind.ts'
import type { Instance } from '../../../shared/api/schemas/instance.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import type { Connection, ProcessStatus } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { suggest } from '../../../shared/source/document.ts'

/** Long enough for a busy machine, short enough that a frozen one does not hold up the table. */
const statusTimeoutMs = 2000

/**
 * The instances of a floorplan, each asked how its processes are, and what its kind asks beyond; a machine that does
 * not answer is `unresponsive`.
 */
export async function instancesOf(
  { deployment, materials }: Floorplan,
  kind: Kind,
  { provider, stores }: Omit<Looking, 'deployment' | 'materials'>,
): Promise<Instance[]> {
  const looking = { deployment, materials, provider, stores }
  const instances = kind.instances?.(materials) ?? []
  return Promise.all(
    instances.map(async ({ material, stopped, intents = [], ...recorded }) => {
      const state = await stateOf({ vm: recorded.vm, stopped }, provider)
      const seen = { ...recorded, ...state, intents: [...intents] }
      return kind.describe ? kind.describe(material, seen, looking) : seen
    }),
  )
}

/** A connection to the machine of an instance, for reading and for commands of an operator. */
export async function connectInstance(
  { deployment, materials }: Floorplan,
  instance: string,
  { kind, provider }: { kind: Kind; provider: Provider },
): Promise<Connection> {
  const instances = kind.instances?.(materials) ?? []
  const vm = instances.find((candidate) => candidate.instance === instance)?.vm ?? null
  if (vm === null) {
    const names = instances.map((candidate) => candidate.instance)
    const { suggestion } = suggest(instance, names)
    throw new RemodelError(
      'not-found',
      `${deployment} has no instance ${instance}${suggestion ? `; did you mean ${suggestion}?` : ''}`,
      { details: { instances: names } },
    )
  }
  return provider.connect(vm, null)
}

async function stateOf(
  { vm, stopped }: Pick<RecordedInstance, 'vm' | 'stopped'>,
  provider: Provider,
): Promise<Pick<Instance, 'state' | 'processes'>> {
  if (vm === null) return { state: 'missing', processes: [] }
  try {
    const connection = await provider.connect(vm, null)
    try {
      const processes = await withTimeout(connection.status(), statusTimeoutMs)
      return {
        state: summary(processes, stopped),
        processes: processes.map(({ name, state, uptimeMs, restarts }) => ({ name, state, uptimeMs, restarts })),
      }
    } finally {
      connection.close()
    }
  } catch {
    const found = await provider.findVm(vm).catch(() => null)
    const gone = found === undefined || found?.state === 'dead'
    return { state: gone ? 'missing' : 'unresponsive', processes: [] }
  }
}

function summary(processes: readonly ProcessStatus[], stopped: boolean): string {
  // Of a start that failed the processes may be there, though what is recorded is the stop before it.
  if (stopped && processes.every(({ state }) => state === 'stopped')) return 'stopped'
  return processes.every((process) => process.state === 'running') ? 'running' : 'failing'
}

function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new RemodelError('infrastructure', `no answer within ${ms} ms`)), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
