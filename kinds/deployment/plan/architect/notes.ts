import type { Manifest } from '../schema/manifest.ts'
import type { Bound } from './uploads.ts'

/** Keys of a manifest that are accepted but not acted on: each plan names them. */
export function notesOn(manifest: Manifest, runtimeConfigs: number): string[] {
  const notes: string[] = []
  const names = (items: readonly { name: string }[]) => items.map((item) => item.name).join(', ')
  const { addons = [], variables = [], tags = {}, features = {} } = manifest
  if (addons.length > 0) notes.push(`addons are not deployed yet: ${names(addons)}`)
  if (runtimeConfigs > 0) notes.push('runtime configs are not applied yet')
  if (variables.length > 0)
    notes.push(
      `variables are not generated: their values must be given with the manifest (${variables.length} declared)`,
    )
  if (Object.keys(tags).length > 0) notes.push('tags are kept in the manifest only')
  for (const name of ['randomize_az_placement', 'use_link_dns_names', 'use_short_dns_addresses'] as const) {
    if (features[name]) notes.push(`feature ${name} is ignored`)
  }
  for (const group of manifest.instance_groups) {
    if (group.lifecycle === 'errand') notes.push(`group ${group.name} is an errand: it has no machines until it is run`)
    if (group.networks.some((network) => network.nic_group !== undefined))
      notes.push(`group ${group.name}: nic_group is ignored`)
    if (group.jobs.some((job) => (job.custom_provider_definitions ?? []).length > 0)) {
      notes.push(`group ${group.name}: custom_provider_definitions are ignored`)
    }
  }
  return notes
}

/** Which versions `latest`, `621.latest` and `create` have become. */
export function versionNotes(manifest: Manifest, bound: Bound): string[] {
  const become = (what: string, wanted: string, version: string | undefined) =>
    version === undefined || version === wanted ? [] : [`${what}: ${wanted} is ${version}`]
  return [
    ...manifest.releases.flatMap(({ name, version }) =>
      become(`release ${name}`, version, bound.releases.get(name)?.release.version),
    ),
    ...manifest.stemcells.flatMap(({ alias, version }) =>
      become(`stemcell ${alias}`, version, bound.stemcells.get(alias)?.version),
    ),
  ]
}
