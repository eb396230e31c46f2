import { tableId } from '../names.ts'
import type { Site } from './instance-steps.ts'
import type { StandingInstance, StandingPlace } from './standing.ts'
import type { Table } from './table.ts'
import type { Task } from './task.ts'

const stage = 'Publishing addresses'

/**
 * Old and new names together, before anything is stopped: whoever looks up a name in the middle of the plan finds somebody.
 * Machines that were just made need the table even where it did not change. Returns the id, or null where nobody needs it.
 */
export function publishBefore(
  site: Site,
  standing: StandingPlace,
  staying: readonly StandingInstance[],
  union: Table,
  fresh: readonly Task[],
  made: string[],
  anyUpdate: boolean,
): string | null {
  const changes = union.digest !== standing.table
  if (!anyUpdate || (!changes && fresh.length === 0)) return null
  const vms = new Set(fresh.map((task) => task.cid))
  if (changes) {
    for (const instance of staying) {
      if (instance.vm && instance.health !== 'unresponsive') vms.add(instance.vm.cid)
    }
  }
  return publish(site, 'before updates', union, [...vms], made, 'instances come and go')
}

/** Nobody to tell of nobody is as good as told. */
export function isPublished(standing: StandingPlace, final: Table): boolean {
  return final.digest === standing.table || (final.records.length === 0 && standing.table === null)
}

/** The final names, where they are not what all machines have by now. Returns what the clearing up has to wait for. */
export function publishAfter(
  site: Site,
  standing: StandingPlace,
  final: Table,
  known: string | null,
  tasks: readonly Task[],
  starts: string[],
): string[] {
  if (final.digest === known) return starts
  if (known === null && isPublished(standing, final)) return starts
  const vms = tasks.filter((task) => task.how !== 'none' || task.old?.health !== 'unresponsive').map((task) => task.cid)
  return [publish(site, 'after updates', final, vms, starts, 'addresses changed')]
}

function publish(site: Site, subject: string, table: Table, vms: string[], needs: string[], reason: string): string {
  return site.writer.step(
    'publish-addresses',
    subject,
    { deployment: site.deployment, records: table.records, table: table.digest, vms },
    {
      action: 'update',
      material: tableId(site.deployment),
      stage,
      needs,
      reasons: [reason],
      title: `publish addresses ${subject}`,
    },
  )
}
