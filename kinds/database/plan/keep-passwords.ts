import type { SourceDocument } from '../../../shared/source/document.ts'
import type { Keeping } from '../../contract/kind.ts'
import { verifierOf } from '../postgres/scram.ts'
import { deploymentName, replicationKey } from './architect.ts'
import { Document } from './schema.ts'

/**
 * What PostgreSQL stores of each password, as a blob: plans and the floorplan name its digest. The salt
 * follows from the password and a key that is written nowhere, so that an unchanged document is no change and one
 * that knows no key cannot guess.
 */
export async function keepPasswords(document: SourceDocument, { blobs, secrets }: Keeping) {
  const deployment = deploymentName(document)
  const kept = document.parse(Document).database_users.map(async ({ username, password }) => {
    if (password === undefined) return []
    const salt = secrets.derive('salt', deployment, username, password)
    const { digest } = await blobs.put(Buffer.from(await verifierOf(password, salt)))
    return [[username, digest] as const]
  })
  // A key that was lost is another one: servers are set up again with the password of today.
  const key = secrets.derive('which key', deployment).toString('hex').slice(0, 12)
  return Object.fromEntries([...(await Promise.all(kept)).flat(), [replicationKey, key] as const])
}
