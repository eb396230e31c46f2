import type { Remodel } from '../../../shared/model/plan.ts'
import { inputs } from '../inputs.ts'

const Packages = inputs['prepare-instance'].pick({ packages: true })

/** Keys of the packages that have to be compiled before the remodel, or are by it. */
export function packagesOf({ step, input }: Remodel): string[] {
  if (step === 'prepare-instance') {
    return Packages.parse(input).packages.map(({ key }) => key)
  }
  if (step !== 'compile-package') return []
  const { key, dependencies } = inputs[step].parse(input)
  return [key, ...dependencies.map((need) => need.key)]
}
