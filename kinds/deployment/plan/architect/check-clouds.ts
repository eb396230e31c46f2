import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { SourceDocument } from '../../../../shared/source/document.ts'
import { mergeClouds } from './cloud.ts'
import { compileStrategy } from './compilation.ts'
import { Faults } from './faults.ts'

/** What every manifest would be refused for with these cloud configs, given in the order of their names. Pure. */
export function checkClouds(documents: readonly SourceDocument[]): Fault[] {
  const [first] = documents
  if (!first || documents.every(isOfOtherKinds)) return []
  const faults = new Faults()
  const cloud = mergeClouds(documents, first, faults)
  if (cloud) compileStrategy(cloud, faults)
  return faults.list
}

/** One with hosts alone says nothing of where deployments are compiled. */
function isOfOtherKinds({ value }: SourceDocument): boolean {
  return value !== null && typeof value === 'object' && Object.keys(value).join() === 'hosts'
}
