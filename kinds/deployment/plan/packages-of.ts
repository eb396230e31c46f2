import type { CompileSpec } from '../../../shared/compilation/spec.ts'
import type { Remodel } from '../../../shared/model/plan.ts'
import type { StepInput } from '../inputs.ts'

/** Keys of the packages that have to be compiled before the remodel, or are by it. */
export function packagesOf({ step, input }: Remodel): string[] {
  if (step === 'prepare-instance') {
    return (input as unknown as StepInput<'prepare-instance'>).packages.map(({ key }) => key)
  }
  if (step !== 'compile-package') return []
  const { key, dependencies } = input as unknown as CompileSpec
  return [key, ...dependencies.map((need) => need.key)]
}
