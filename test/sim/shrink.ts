import type { Fault } from './faults.ts'
import { type Outcome, type Specification, simulate } from './run.ts'

/** Takes faults away as long as the same rule stays broken; what is left is all that it needs. */
export async function shrink(specification: Specification, outcome: Outcome): Promise<Fault[]> {
  const rule = outcome.violation?.rule
  let faults = outcome.faults
  for (let i = faults.length - 1; i >= 0; i--) {
    const fewer = faults.filter((_, n) => n !== i)
    const again = await simulate({ ...specification, faults: fewer })
    if (again.violation?.rule === rule) faults = fewer
  }
  return faults
}
