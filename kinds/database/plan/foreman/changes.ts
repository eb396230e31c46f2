import { canonical } from '../../../../shared/model/canonical.ts'
import type { Json } from '../../../../shared/model/material.ts'
import type { Change } from '../../../../shared/model/plan.ts'
import { changesBetween } from '../../../contract/diff.ts'
import type { InstanceAttributes, User } from '../../inputs.ts'

/** Book-keeping of the operations, and names that follow from others: nothing that a document says. */
const own = new Set(
  [
    'database_id database_name db_name dependent_resources disabled disk extra_dependencies has_restore_config',
    'host_id instance_id instance_ids name needs_update node node_name primary_instance_id',
    'provider_node rename_from roles statements subscriber_node sync_data sync_event_lsn sync_structure vm',
  ].flatMap((names) => names.split(' ')),
)

/** What people see change of a resource that is made or changed: what the document says of it. */
export function changesOf(before: Readonly<Record<string, Json>>, after: Readonly<Record<string, Json>>): Change[] {
  const { users: usersBefore, ...rest } = before
  const { users: usersAfter, ...wanted } = after
  const changes = changesBetween(rest, wanted).filter(({ path }) => !own.has(path.split('.')[0]!))
  // By which rules clients come in is of no use to know of a server that is made.
  const told = before.access === undefined ? changes.filter(({ path }) => path !== 'access') : changes
  return [...told, ...userChanges(usersOf(usersBefore), usersOf(usersAfter))]
}

const usersOf = (users: Json | undefined) =>
  Array.isArray(users) ? (users as unknown as InstanceAttributes['users']) : []

/** By name, and without what PostgreSQL stores of a password. */
function userChanges(before: readonly User[], after: readonly User[]): Change[] {
  const known = new Map(before.map((user) => [user.username, user]))
  const stays = new Set(after.map(({ username }) => username))
  const gone = before.filter(({ username }) => !stays.has(username))
  return [
    ...after.flatMap((user): Change[] => {
      const path = `users.${user.username}`
      const was = known.get(user.username)
      if (!was) return [{ path, after: [...user.attributes] }]
      const attributes =
        canonical(was.attributes) === canonical(user.attributes)
          ? []
          : [{ path: `${path}.attributes`, before: [...was.attributes], after: [...user.attributes] }]
      return was.verifier === user.verifier
        ? attributes
        : [
            ...attributes,
            { path: `${path}.password`, before: passwordText(was), after: passwordText(user, 'another one') },
          ]
    }),
    ...gone.map(({ username, attributes }): Change => ({ path: `users.${username}`, before: [...attributes] })),
  ]
}

const passwordText = ({ verifier }: User, some = 'one') => (verifier === '' ? 'none' : some)
