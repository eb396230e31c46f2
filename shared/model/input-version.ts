import { z } from 'zod'
import type { Remodel } from './plan.ts'

const versions = z.registry<{ version: number }>()

/**
 * The input of a step in a later version than the first. It is counted up where an older worker would do something
 * wrong with such an input, because it ignores a field that it does not know: older workers leave such remodels to
 * newer ones. `test/kinds/inputs.json` lists what each version looks like.
 */
export function inVersion<Schema extends z.ZodType>(version: number, input: Schema): Schema {
  versions.add(input, { version })
  return input
}

export function versionOf(input: z.ZodType): number {
  return versions.get(input)?.version ?? 1
}

/** Remodels with the version of what their steps are given, where that is not the first. */
export function versioned<Draft extends Pick<Remodel, 'step'>>(
  remodels: readonly Draft[],
  inputs: Readonly<Record<string, z.ZodType>>,
): (Draft & Partial<Pick<Remodel, 'version'>>)[] {
  return remodels.map((remodel) => {
    const input = inputs[remodel.step]
    const version = input ? versionOf(input) : 1
    return version > 1 ? { ...remodel, version } : remodel
  })
}
