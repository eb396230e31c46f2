import { observed } from '../../../shared/model/observation.ts'
import { ReservedNames } from '../../../shared/model/reservation.ts'
import { invalidInput } from '../../../shared/source/document.ts'
import type { Kind } from '../../contract/kind.ts'
import type { Render } from '../rendering.ts'
import { readFloorplan } from './foreman/actual.ts'
import { address } from './foreman/address.ts'
import { build } from './foreman/build.ts'
import { CloudIds } from './foreman/cloud-ids.ts'
import { isPartial, type PlanContext } from './foreman/context.ts'
import { decide, leftNotes, unresponsiveNotes } from './foreman/decide.ts'
import { match } from './foreman/match.ts'
import { migrate } from './foreman/migrating.ts'
import { remove } from './foreman/removal.ts'
import { idleNotes, renderJobs, unwatchedNotes } from './foreman/rendering.ts'
import { starts } from './foreman/stages.ts'
import { readBlueprint } from './foreman/wanted.ts'
import { duration, health } from './observations.ts'
import type { DeploymentOptions } from './options.ts'
import type { Strategy } from './strategy.ts'

/**
 * Blueprint and floorplan -> what is to be done, in which order. Pure, but for `render`, which is
 * a function of content.
 *
 * The wanted instances go through stages: they are matched with those of the floorplan, addressed, rendered, and
 * decided upon (`foreman/stages.ts`). Then the remodels are written, in the order that `build` tells.
 *
 * Throws `invalid-input` with all faults at once: addresses that run out, disks that would become smaller, templates
 * that cannot be rendered.
 */
export const foremanWith =
  (render: Render): Kind<Strategy, DeploymentOptions>['foreman'] =>
  async (blueprint, floorplan, options, { observations = [], reserved = new ReservedNames() } = {}) => {
    const wanted = readBlueprint(blueprint)
    const recorded = readFloorplan(floorplan, observed(observations, health))
    const cids = new CloudIds(wanted, floorplan.version)
    const known = { wanted, options, cids, reserved, durations: observed(observations, duration) }
    if (options.remove) return remove({ ...known, actual: recorded })

    const migrated = migrate(wanted, recorded)
    const context: PlanContext = { ...known, actual: migrated.actual }
    const matching = match(context)
    const addressing = address(context, matching)
    const refused = [...migrated.faults, ...matching.faults, ...addressing.faults]
    if (refused.length > 0) throw invalidInput(refused)
    const { rendered, faults, notes, unwatched, idle } = await renderJobs(context, addressing.addressed, render)
    if (faults.length > 0) throw invalidInput(faults)
    const instances = rendered.map((one) => decide(one, cids))

    const started = new Set(instances.filter(starts).map(({ group }) => group.name))
    const ofJobs = [...notes, ...idleNotes(idle, started), ...unwatchedNotes(unwatched, started)]
    return build(context, {
      instances,
      obsolete: matching.obsolete,
      left: matching.left,
      spares: addressing.spares,
      renamings: migrated.renamings,
      notes: [
        ...addressing.notes,
        ...leftNotes(instances, context),
        ...unresponsiveNotes(instances),
        ...(isPartial(context) ? [] : ofJobs),
      ],
    })
  }
