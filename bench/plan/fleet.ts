import type { CatalogView } from '../../kinds/contract/kind.ts'
import type { StepInput } from '../../kinds/deployment/inputs.ts'
import type { ActualMaterial, Json } from '../../shared/model/material.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Release } from '../../shared/release/release.ts'
import { SourceDocument } from '../../shared/source/document.ts'

const groupSize = 500

/** A manifest of a number of instances in groups of 500, each with a job of a release with two packages. */
export function fleetManifest(instances: number, greeting = 'hello'): SourceDocument {
  const count = Math.ceil(instances / groupSize)
  const groups = Array.from({ length: count }, (_, n) => ({
    name: `g${n}`,
    azs: ['z1', 'z2', 'z3'],
    instances: Math.min(groupSize, instances - n * groupSize),
    vm_type: 'small',
    stemcell: 'default',
    networks: [{ name: 'net' }],
    jobs: [{ name: 'app', release: 'app', properties: { port: 8080 + n, greeting } }],
  }))
  return document('fleet.yml', {
    name: 'fleet',
    releases: [{ name: 'app', version: '1' }],
    stemcells: [{ alias: 'default', os: 'ubuntu-jammy', version: '1.1' }],
    update: { canaries: 1, max_in_flight: 50, canary_watch_time: '1000-30000', update_watch_time: '1000-30000' },
    instance_groups: groups,
  })
}

/** @param job digest of the archive of job `app`. */
export function fleetCatalog(job: { digest: string; templates: Record<string, string> }): CatalogView {
  const source = (name: string) => `sha256:source-${name}`
  const release: Release = {
    name: 'app',
    version: '1',
    packages: [
      { name: 'lib', fingerprint: 'lib-1', dependencies: [], digest: source('lib') },
      { name: 'app', fingerprint: 'app-1', dependencies: ['lib'], digest: source('app') },
    ],
    jobs: [
      {
        name: 'app',
        fingerprint: 'app-1',
        ...job,
        packages: ['app'],
        properties: { port: { default: 80 }, greeting: {} },
        provides: [],
        consumes: [],
      },
    ],
  }
  const cloud = {
    azs: [{ name: 'z1' }, { name: 'z2' }, { name: 'z3' }],
    vm_types: [{ name: 'small', cloud_properties: { cpu: 1, ram: 512 } }],
    networks: [
      {
        name: 'net',
        type: 'manual',
        subnets: ['z1', 'z2', 'z3'].map((az, n) => ({ range: `10.${n}.0.0/16`, gateway: `10.${n}.0.1`, az })),
      },
    ],
    compilation: { workers: 4, az: 'z1', network: 'net', vm_type: 'small', reuse_compilation_vms: true },
  }
  return {
    releases: [release],
    created: {},
    stemcells: [{ name: 'jammy', os: 'ubuntu-jammy', version: '1.1' }],
    configs: { cloud: [document('cloud.yml', cloud)], runtime: [] },
  }
}

/** The floorplan after a plan for a new deployment was carried out to its end. */
export function actualAfter(plan: Plan): ActualMaterial[] {
  const actual = new Map<string, ActualMaterial>()
  const put = (id: string, attributes: object, meta: Record<string, Json> = {}) =>
    actual.set(id, { id, attributes: attributes as Record<string, Json>, needs: [], meta })
  for (const { step, material, input } of plan.remodels) {
    if (step === 'compile-package') {
      const { key, name } = input as unknown as StepInput<'compile-package'>
      put(material, { key, name })
    } else if (step === 'create-vm') put(material, (input as unknown as StepInput<'create-vm'>).vm)
    else if (step === 'start-instance') {
      const { vm, attributes } = input as unknown as StepInput<'start-instance'>
      put(material, attributes, { vm })
    } else if (step === 'publish-addresses') {
      put(material, { table: (input as unknown as StepInput<'publish-addresses'>).table })
    }
  }
  return [...actual.values()]
}

function document(file: string, value: unknown): SourceDocument {
  return new SourceDocument(file, JSON.stringify(value, null, 2))
}
