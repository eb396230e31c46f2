import { digestOf } from '../../../shared/model/canonical.ts'
import { layout } from '../../../shared/provider/layout.ts'

/** Written on the machine when an instance was started and found healthy; removed before it is stopped. */
export const appliedFile = `${layout.instance}/applied`

/** Written when the jobs of an instance were started, and are watched until they are healthy. */
export const startedFile = `${layout.instance}/started`

/** What an instance runs, as one digest: the content of `appliedFile`. */
export function appliedDigest(input: { jobs: unknown; packages: unknown; attributes: unknown }): string {
  const { jobs, packages, attributes } = input
  return digestOf({ jobs, packages, attributes })
}
