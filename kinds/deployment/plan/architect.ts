import type { Blueprint, Material } from '../../../shared/model/material.ts'
import { invalidInput, type SourceDocument } from '../../../shared/source/document.ts'
import type { CatalogView } from '../../contract/kind.ts'
import { type Cloud, mergeClouds } from './architect/cloud.ts'
import { compileStrategy } from './architect/compilation.ts'
import { Faults, type Sourced } from './architect/faults.ts'
import { type DrawnGroup, drawGroup } from './architect/groups.ts'
import { resolveLinks } from './architect/links.ts'
import { checkMigrations } from './architect/migrations.ts'
import { networkStrategy } from './architect/networks.ts'
import { notesOn, versionNotes } from './architect/notes.ts'
import { NeededPackages } from './architect/packages.ts'
import { refusePlaceholders } from './architect/placeholders.ts'
import { bindUploads } from './architect/uploads.ts'
import { diskId, instanceId, packageId } from './names.ts'
import { Manifest } from './schema/manifest.ts'
import type { Strategy } from './strategy.ts'

/**
 * Manifest, cloud configs, releases and stemcells -> the materials that are wanted. Pure; the order of uploads does not
 * matter.
 *
 * Where an instance is put (index, AZ, addresses) is not drawn here: it depends on the floorplan, so the foreman
 * decides it, and adds the configuration that is rendered with it. All else that a material says here is what the
 * floorplan is compared with. Throws `invalid-input` with all faults of all documents at once.
 */
export function architect(document: SourceDocument, catalog: CatalogView): Blueprint<Strategy> {
  const faults = new Faults()
  refusePlaceholders(document, faults)
  const parsed = faults.catch(() => document.parse(Manifest))
  const clouds = [...catalog.configs.cloud].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.text < b.text ? -1 : 1,
  )
  const cloud = mergeClouds(clouds, document, faults)
  // Names can only be checked where both sides could be read.
  if (!parsed || !cloud) throw invalidInput(faults.list)

  const manifest: Sourced<Manifest> = { document, path: [], value: parsed }
  const bound = bindUploads(manifest, catalog, faults)
  const needed = new NeededPackages()
  const groups = parsed.instance_groups.map((value, index) => ({
    name: value.name,
    value,
    document,
    path: ['instance_groups', index],
  }))
  faults.duplicates('instance group', groups)
  const supplied = { cloud, bound, needed, faults }
  const drawn = groups.map(({ name: _, ...group }) => drawGroup(group, manifest, supplied))
  checkStaticsOnce(drawn, faults)
  checkMigrations(groups, faults)
  const services = drawn.filter((group) => group.source.value.lifecycle === 'service')
  const useDns = parsed.features?.use_dns_addresses ?? false
  const linked = resolveLinks(services, useDns, faults)
  const compile = compileStrategy(cloud, faults)
  faults.throwIfAny()

  const strategy: Strategy = {
    deployment: parsed.name,
    useDns,
    networks: usedNetworks(services, cloud),
    compile,
    packages: needed.byKey,
    groups: linked,
    notes: notesOn(parsed, catalog.configs.runtime.length),
    versions: versionNotes(parsed, bound),
  }
  return {
    deployment: parsed.name,
    kind: 'deployment',
    materials: [...packageMaterials(strategy), ...services.flatMap(groupMaterials)],
    strategy,
  }
}

/** One static address belongs to one group. */
function checkStaticsOnce(groups: readonly DrawnGroup[], faults: Faults): void {
  const owners = new Map<string, string>()
  for (const { strategy, source } of groups) {
    for (const [index, network] of strategy.networks.entries()) {
      for (const { address } of network.static ?? []) {
        const key = `${network.name} ${address}`
        const owner = owners.get(key)
        const below = ['networks', index, 'static_ips']
        if (owner !== undefined && owner !== strategy.name) {
          faults.add(source, below, `address ${address} is taken by group "${owner}" already`, { found: address })
        }
        owners.set(key, strategy.name)
      }
    }
  }
}

function usedNetworks(groups: readonly DrawnGroup[], cloud: Cloud): Strategy['networks'] {
  const names = [...new Set(groups.flatMap((group) => group.strategy.networks.map((network) => network.name)))].sort()
  return Object.fromEntries(
    names.flatMap((name) => {
      const network = cloud.networks.get(name)?.value
      return network ? [[name, networkStrategy(network)]] : []
    }),
  )
}

function packageMaterials(strategy: Strategy): Material[] {
  return Object.entries(strategy.packages)
    .map(([key, item]) => ({
      id: packageId(item.name, key),
      attributes: {
        key,
        name: item.name,
        fingerprint: item.fingerprint,
        stemcell: `${item.stemcell.os}/${item.stemcell.version}`,
      },
      needs: item.dependencies.map((need) => packageId(need.name, need.key)),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * Disks and instances of a group, all alike. The indexes are those of a first deploy: which ones the instances have
 * where something is, the foreman decides.
 */
function groupMaterials({ strategy: { name }, wanted: { count, attributes, disk } }: DrawnGroup): Material[] {
  const needs = Object.entries(attributes.packages).map(([pack, key]) => packageId(pack, key))
  return Array.from({ length: count }, (_, index) => {
    const id = diskId(name, index)
    const instance: Material = {
      id: instanceId(name, index),
      attributes,
      needs: disk ? [...needs, id] : needs,
    }
    return disk ? [{ id, attributes: disk, needs: [] }, instance] : [instance]
  }).flat()
}
