import { createHash } from 'node:crypto'
import type { AddressRecord, InstanceAttributes } from '../../inputs.ts'
import { instanceName, type Slot } from '../names.ts'
import type { ActualInstance } from './actual.ts'
import type { Decided } from './stages.ts'

export const groupHost = (deployment: string, group: string, network: string) =>
  `${group}.${network}.${deployment}.remodel`
export const instanceHost = (deployment: string, group: string, index: number, network: string) =>
  `${index}.${groupHost(deployment, group, network)}`

/** An address table and the digest of its canonical JSON, which is also the blob that machines are given. */
export interface Table {
  records: AddressRecord[]
  digest: string
}

/** Names of the finished deployment; `left` are instances that it does not want, and that stay for now. */
export function finalTable(
  deployment: string,
  instances: readonly Decided[],
  left: readonly ActualInstance[] = [],
): Table {
  const records = [
    ...instances.flatMap(({ group, index, az, networks }) =>
      recordsOf(deployment, { group: group.name, index }, { az, networks }),
    ),
    ...left.flatMap((instance) => recordsOf(deployment, instance, instance.attributes)),
  ]
  return { records, digest: digestOfRecords(records) }
}

/** The final names, and those that still hold while the plan is carried out. */
export function unionTable(deployment: string, final: Table, actual: Iterable<ActualInstance>): Table {
  const known = new Set(final.records.map((record) => `${record.host} ${record.address}`))
  const extra = [...actual].flatMap((instance) => {
    if (!instance.vm) return []
    const names = [instance, ...(instance.former ? [instance.former] : [])]
    return names
      .flatMap((slot) => recordsOf(deployment, slot, instance.attributes))
      .filter((record) => !known.has(`${record.host} ${record.address}`))
  })
  if (extra.length === 0) return final
  const records = [...final.records, ...extra]
  return { records, digest: digestOfRecords(records) }
}

function recordsOf(
  deployment: string,
  { group, index }: Slot,
  { az, networks }: Pick<InstanceAttributes, 'az' | 'networks'>,
): AddressRecord[] {
  return networks.map((network) => ({
    address: network.address,
    az,
    group: groupHost(deployment, group, network.name),
    host: instanceHost(deployment, group, index, network.name),
    instance: instanceName(group, index),
  }))
}

/** The same as `digestOf`, at a tenth of the time: records are written with their keys in order. */
function digestOfRecords(records: readonly AddressRecord[]): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(records)).digest('hex')}`
}
