import { UpdateDatabase } from '../../kinds/database/plan/operations/operations.ts'
import { actualOf, fleetOf } from './fleet.ts'

/**
 * Run as a process of its own: plans a no-op of a number of nodes once and prints the peak memory
 * of the process, in MB.
 */
const count = Number(process.argv[2])
const plans = UpdateDatabase({ node_update_strategy: 'rolling' }, actualOf(fleetOf(count)), fleetOf(count))
if (plans.length > 0) throw new Error(`${plans.length} plans where nothing changed`)
console.log(process.resourceUsage().maxRSS / 1024)
