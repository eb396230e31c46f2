import { RemodelError } from '../runtime/errors.ts'
import { suggest } from '../source/document.ts'
import type { Ledger } from './ledger.ts'

/** The refusal of a name that no deployment has, with the nearest one that there is. */
export async function noSuchDeployment(ledger: Pick<Ledger, 'deployments'>, name: string): Promise<RemodelError> {
  const names = await ledger.deployments()
  const { suggestion } = suggest(name, names)
  const near = suggestion ? `; did you mean ${suggestion}?` : ''
  return new RemodelError('not-found', `there is no deployment ${name}${near}`, { details: { deployments: names } })
}
