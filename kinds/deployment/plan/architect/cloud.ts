import type { SourceDocument } from '../../../../shared/source/document.ts'
import { CloudConfig } from '../schema/cloud-config.ts'
import type { Faults, Sourced } from './faults.ts'
import { type NetworkPlan, readNetwork } from './networks.ts'

type Section<Key extends keyof CloudConfig> = NonNullable<CloudConfig[Key]>
type Named<Value> = Map<string, Sourced<Value>>

/** All cloud configs as one. */
export interface Cloud {
  azs: Named<Section<'azs'>[number]>
  vmTypes: Named<Section<'vm_types'>[number]>
  vmExtensions: Named<Section<'vm_extensions'>[number]>
  diskTypes: Named<Section<'disk_types'>[number]>
  networks: Named<NetworkPlan>
  compilation: Sourced<Section<'compilation'>> | null
}

/**
 * Merges cloud configs: lists are joined, a name that is there twice is a fault, and so is a second `compilation`
 * (bosh.md 3.4). Documents come in the order of their names, so that the order of uploading does not matter.
 */
export function mergeClouds(
  documents: readonly SourceDocument[],
  manifest: SourceDocument,
  faults: Faults,
): Cloud | null {
  const before = faults.list.length
  const parsed = documents.flatMap((document) => {
    const value = faults.catch(() => document.parse(CloudConfig))
    return value ? [{ document, value }] : []
  })
  if (faults.list.length > before) return null

  const gather = <Value extends { name: string }>(
    what: string,
    of: (config: CloudConfig) => Value[] | undefined,
    key: string,
  ) => {
    const items = parsed.flatMap(({ document, value }) =>
      (of(value) ?? []).map((item, index) => ({ name: item.name, value: item, document, path: [key, index] })),
    )
    faults.duplicates(what, items)
    return new Map(items.map(({ name, ...item }) => [name, item] as const))
  }
  const azs = gather('az', (config) => config.azs, 'azs')
  const rawNetworks = gather('network', (config) => config.networks, 'networks')
  const networks: Cloud['networks'] = new Map()
  for (const [name, network] of rawNetworks) {
    networks.set(name, { ...network, value: readNetwork(network, [...azs.keys()], faults) })
  }
  const compilations = parsed.flatMap(({ document, value }) =>
    value.compilation ? [{ value: value.compilation, document, path: ['compilation'] }] : [],
  )
  for (const extra of compilations.slice(1))
    faults.add(extra, [], 'compilation is there twice: only one cloud config may have it')
  if (compilations.length === 0) {
    const at = parsed[0]?.document
    if (at) faults.add({ document: at, path: [] }, [], 'compilation is missing: it says where packages are compiled')
    else
      faults.add(
        { document: manifest, path: [] },
        [],
        'there is no cloud config, which says which networks, VM types and AZs there are: store one with `remodel update-cloud-config FILE`',
      )
  }
  return {
    azs,
    networks,
    vmTypes: gather('vm type', (config) => config.vm_types, 'vm_types'),
    vmExtensions: gather('vm extension', (config) => config.vm_extensions, 'vm_extensions'),
    diskTypes: gather('disk type', (config) => config.disk_types, 'disk_types'),
    compilation: compilations[0] ?? null,
  }
}
