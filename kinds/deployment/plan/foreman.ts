import { observed } from '../../../shared/model/observation.ts'
import { ReservedNames } from '../../../shared/model/reservation.ts'
import type { Fault } from '../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../shared/source/document.ts'
import type { Kind } from '../../contract/kind.ts'
import type { Render } from '../rendering.ts'
import { build } from './foreman/build.ts'
import { Cids } from './foreman/cids.ts'
import { decide } from './foreman/decide.ts'
import { migrate } from './foreman/migrating.ts'
import { remove } from './foreman/removal.ts'
import { renderJobs, unwatchedNotes } from './foreman/rendering.ts'
import { readFloorplan } from './foreman/standing.ts'
import { survey } from './foreman/survey.ts'
import { duration, health } from './observations.ts'
import type { Strategy } from './strategy.ts'

/**
 * Blueprint and floorplan -> what is to be done, in which order. Pure, but for `render`, which is a function of content.
 *
 * Throws `invalid-input` with all faults at once: addresses that run out, disks that would become smaller, templates that
 * cannot be rendered.
 */
export const foremanWith =
  (render: Render): Kind<Strategy>['foreman'] =>
  async ({ strategy }, floorplan, options, { observations = [], reserved = new ReservedNames() } = {}) => {
    const recorded = readFloorplan(floorplan, observed(observations, health))
    if (options.remove) return remove(strategy, recorded, options)
    const misplaced: Fault[] = []
    const { standing, renamings } = migrate(strategy, recorded, misplaced)
    const cids = new Cids(strategy, floorplan.version)
    const found = survey(strategy, standing, options, { cids, reserved })
    const refused = [...misplaced, ...found.faults]
    if (refused.length > 0) throw invalidInput(refused)
    const { faults, notes, unwatched } = await renderJobs(strategy, found.tasks, render)
    if (faults.length > 0) throw invalidInput(faults)
    decide(found.tasks, cids)
    const started = new Set(found.tasks.filter(({ how }) => how !== 'none').map(({ group }) => group.name))
    const said = [...found.notes, ...notes, ...unwatchedNotes(unwatched, started)]
    return build(strategy, standing, { ...found, notes: said, renamings }, options, observed(observations, duration))
  }
