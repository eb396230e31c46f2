import type { NodeResources } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'

/** What a plan does to roles that is not to be read from the change of a list: who goes, and who has no way in. */
export function userNotes(nodes: readonly NodeResources[], context: DatabaseContext): string[] {
  const gone = new Set(nodes.flatMap(({ node_name }) => context.goneUsers(node_name)))
  const users = nodes.flatMap(({ node_name }) => Object.values(context.settingsOf(node_name)))[0]?.users ?? []
  const shut = users.filter(({ verifier, attributes }) => verifier === '' && attributes.includes('LOGIN'))
  return [
    ...[...gone].map(
      (user) => `user ${user} leaves: its role is dropped; where it owns something it stays and cannot log in`,
    ),
    ...shut.map(({ username }) => `user ${username} has no password: it cannot log in`),
  ]
}
