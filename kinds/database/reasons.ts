import { definePhrases } from '../contract/reason.ts'

/** Why a remodel of kind `database` is in a plan. `what` and `error` are sentences of those who saw it. */
export type DatabaseReason =
  /** The core's own. */
  | { code: 'asked-for' }
  // Of resources, as the operations have them.
  | { code: 'new' }
  | { code: 'document-changed' }
  | { code: 'made-anew' }
  | { code: 'unwanted' }
  | { code: 'gone'; error: string }
  | { code: 'faulty'; error: string }
  | { code: 'dependency-changed' }
  | { code: 'update-forced' }
  // Of servers.
  | { code: 'settings-changed' }
  | { code: 'below-primary' }
  | { code: 'not-following'; what: string }
  // Of primaries.
  | { code: 'other-primary-wanted' }
  | { code: 'primary-restarts'; primary: string }
  | { code: 'primary-gone'; primary: string }
  | { code: 'primary-out'; what: string }
  | { code: 'no-primary' }
  | { code: 'server-silent'; server: string }
  | { code: 'loss-possible'; what: string }
  // Of nodes.
  | { code: 'node-renamed' }
  | { code: 'node-added' }
  | { code: 'node-closed' }
  | { code: 'node-unwanted' }
  | { code: 'node-copied' }
  | { code: 'sequences-shared'; sequences: string[] }
  // Of backups.
  | { code: 'no-backup' }
  | { code: 'node-restored' }
  | { code: 'restore-asked' }
  | { code: 'restore-over' }

export const phrases = definePhrases<DatabaseReason>({
  'asked-for': () => 'it was asked for',
  new: () => 'does not exist',
  'document-changed': () => 'the document changes it',
  'made-anew': () => 'is made anew',
  unwanted: () => 'is not wanted',
  gone: ({ error }) => error || 'is gone, or half made',
  faulty: ({ error }) => error || 'is not as it should be',
  'dependency-changed': () => 'dependency updated',
  'update-forced': () => 'force update',
  'settings-changed': () => 'the document changes its settings',
  'below-primary': () => 'a replica may not have less than its primary has',
  'not-following': ({ what }) => `${what}: what does not follow now is not waited for`,
  'other-primary-wanted': () => 'the document names another primary',
  'primary-restarts': ({ primary }) => `${primary} starts again as a replica by that`,
  'primary-gone': ({ primary }) => `the machine of its primary ${primary} is gone`,
  'primary-out': ({ what }) => what,
  'no-primary': () => 'no server of it takes writes',
  'server-silent': ({ server }) => `${server} is silent: it is started first`,
  'loss-possible': ({ what }) => what,
  'node-renamed': () => 'the document has its hosts under another name',
  'node-added': () => 'it is added',
  'node-closed': () => 'it lets no client in',
  'node-unwanted': () => 'the document has it no more',
  'node-copied': () => 'it was copied from a node that may have had fewer',
  'sequences-shared': ({ sequences }) => `other nodes may draw the same numbers: ${sequences.join(', ')}`,
  'no-backup': () => 'it has no backup yet',
  'node-restored': () => 'it is restored',
  'restore-asked': () => 'the document asks for a restore',
  'restore-over': () => 'its restore_config has left the document',
})
