import type { Kind, Looking } from '../../../kinds/contract/kind.ts'
import type { Instance } from '../../../shared/api/schemas/instance.ts'
import { type Floorplan, materialName, materialType, type StandingMaterial } from '../../../shared/model/material.ts'
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
  floorplan: Floorplan,
  kind: Kind,
  { provider, stores }: Omit<Looking, 'deployment' | 'materials'>,
): Promise<Instance[]> {
  const looking = { deployment: floorplan.deployment, materials: floorplan.materials, provider, stores }
  const byId = new Map(floorplan.materials.map((material) => [material.id, material]))
  const instances = [...standingInstances(floorplan), ...begunInstances(floorplan)]
  return Promise.all(
    instances.map(async (material) => {
      const name = materialName(material.id)
      const vm = vmOf(material)
      const attributes = material.attributes as { az?: string | null; state?: string; networks?: { address: string }[] }
      const stemcell = vm === null ? null : (byId.get(`vm/${vm}`)?.attributes.stemcell ?? null)
      const disk = byId.get(`disk/${name}`)?.meta.cid ?? null
      const seen = {
        instance: name,
        az: attributes.az ?? null,
        addresses: (attributes.networks ?? []).map((network) => network.address),
        vm,
        stemcell: stemcell as string | null,
        disk: disk as string | null,
        ...(await stateOf(vm, attributes.state ?? 'started', provider)),
      }
      return kind.describe ? kind.describe(material, seen, looking) : seen
    }),
  )
}

/**
 * A connection to the machine of an instance, `<group>/<index>` or as its kind names it, for reading and for
 * commands of an operator.
 */
export async function connectInstance(floorplan: Floorplan, instance: string, provider: Provider): Promise<Connection> {
  const instances = [...standingInstances(floorplan), ...begunInstances(floorplan)]
  const material = instances.find((candidate) => candidate.id === `instance/${instance}`)
  const vm = material ? vmOf(material) : null
  if (vm === null) {
    const names = instances.map(({ id }) => materialName(id))
    const { suggestion } = suggest(instance, names)
    throw new RemodelError(
      'not-found',
      `${floorplan.deployment} has no instance ${instance}${suggestion ? `; did you mean ${suggestion}?` : ''}`,
      { details: { instances: names } },
    )
  }
  return provider.connect(vm, null)
}

function standingInstances({ materials }: Floorplan): StandingMaterial[] {
  return materials.filter(({ id }) => materialType(id) === 'instance')
}

/**
 * Instances that no deploy has brought up yet, by the machines that were made for them: what fails in a first deploy is
 * to be looked at there. Where several were made for one, the first by name.
 */
function begunInstances(floorplan: Floorplan): StandingMaterial[] {
  const standing = standingInstances(floorplan)
  const found = new Set(standing.map(({ id }) => id))
  // One that was renamed runs on a machine that was made for its former name.
  const used = new Set(standing.map(vmOf))
  const machines = floorplan.materials
    .filter(({ id }) => materialType(id) === 'vm')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  return machines.flatMap(({ id, attributes }): StandingMaterial[] => {
    const { purpose, az = null, networks = [] } = attributes
    const vm = materialName(id)
    if (used.has(vm) || typeof purpose !== 'string' || materialType(purpose) !== 'instance' || found.has(purpose))
      return []
    found.add(purpose)
    const meta = { vm }
    return [{ id: purpose, attributes: { az, networks, state: 'started' }, needs: [], meta }]
  })
}

function vmOf(material: StandingMaterial): string | null {
  const vm = material.meta.vm ?? material.attributes.vm
  return typeof vm === 'string' ? vm : null
}

async function stateOf(
  vm: string | null,
  wanted: string,
  provider: Provider,
): Promise<Pick<Instance, 'state' | 'processes'>> {
  if (vm === null) return { state: 'missing', processes: [] }
  try {
    const connection = await provider.connect(vm, null)
    try {
      const processes = await withTimeout(connection.status(), statusTimeoutMs)
      return {
        state: summary(processes, wanted),
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

function summary(processes: readonly ProcessStatus[], wanted: string): string {
  // Of a start that failed the processes may be there, though what is recorded is the stop before it.
  if (wanted === 'stopped' && processes.every(({ state }) => state === 'stopped')) return 'stopped'
  return processes.every((process) => process.state === 'running') ? 'running' : 'failing'
}

function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new RemodelError('infrastructure', `no answer within ${ms} ms`)), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
