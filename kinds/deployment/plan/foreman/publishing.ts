import { digestOf } from '../../../../shared/model/canonical.ts'
import type { DeploymentReason } from '../../reasons.ts'
import { tableId } from '../names.ts'
import type { ActualInstance, IndexedFloorplan } from './actual.ts'
import type { Site } from './site.ts'
import { answers, type Decided } from './stages.ts'
import type { Table } from './table.ts'

const stage = 'Publishing addresses'

/** A plan that updates instances: the machines it has just made, and the remodels that make them. */
export interface Updates {
  readonly fresh: readonly Decided[]
  readonly made: readonly string[]
}

/**
 * Old and new names together, before anything is stopped: a look-up in the middle of the plan finds an
 * instance. Machines that were just made need the table even where it did not change. Returns the id, or null
 * where no machine needs it.
 */
export function publishBefore(
  site: Site,
  union: Table,
  staying: readonly ActualInstance[],
  { fresh, made }: Updates,
): string | null {
  const changes = union.digest !== site.context.actual.table
  if (!changes && fresh.length === 0) return null
  const present = changes ? staying.filter(({ health }) => health !== 'unresponsive') : []
  const vms = new Set([...fresh.map(({ cid }) => cid), ...present.flatMap(({ vm }) => vm?.cid ?? [])])
  return publish(site, union, [...vms], {
    when: 'before updates',
    needs: made,
    reason: { code: 'instances-come-and-go' },
  })
}

/** An empty table counts as published where none ever was. */
export function isPublished({ table }: IndexedFloorplan, final: Table): boolean {
  return final.digest === table || (final.records.length === 0 && table === null)
}

/**
 * The final names, where they are not what all machines have by then: `known` is the digest of that. Returns what the
 * clearing up has to wait for.
 */
export function publishAfter(
  site: Site,
  final: Table,
  known: string | null,
  { instances, ends }: { instances: readonly Decided[]; ends: readonly string[] },
): readonly string[] {
  if (final.digest === known) return ends
  if (known === null && isPublished(site.context.actual, final)) return ends
  const vms = instances.filter(answers).map(({ cid }) => cid)
  return [publish(site, final, vms, { when: 'after updates', needs: ends, reason: { code: 'addresses-changed' } })]
}

function publish(
  { writer, context }: Site,
  table: Table,
  vms: string[],
  { when, needs, reason }: { when: string; needs: readonly string[]; reason: DeploymentReason },
): string {
  const { deployment } = context.wanted
  return writer.step(
    'publish-addresses',
    when,
    { deployment, records: table.records, table: table.digest, vms },
    { action: 'update', material: tableId(deployment), stage, needs, reasons: [reason] },
  )
}

/** The table goes with its deployment: no machine is left to have it. */
export function forgetAddresses(
  { writer, context }: Site,
  needs: readonly string[],
  reasons: readonly DeploymentReason[],
): void {
  const { deployment } = context.wanted
  writer.step(
    'publish-addresses',
    'after removal',
    { deployment, records: [], table: digestOf([]), vms: [] },
    {
      action: 'delete',
      material: tableId(deployment),
      verb: 'forget',
      subject: 'all addresses',
      stage,
      needs,
      reasons,
    },
  )
}
