import type { VerbEntry } from '../../../cli/sdk.ts'

/** The verbs of databases, in the order of the help. */
export const verbs: readonly VerbEntry[] = [
  {
    name: 'backup-database',
    group: 'deploying',
    summary: 'take base backups of a database',
    load: () => import('./verbs/backup-database.ts'),
  },
  {
    name: 'exec-database',
    group: 'deploying',
    summary: 'run statements on all nodes of a database, or on none',
    load: () => import('./verbs/exec-database.ts'),
  },
  {
    name: 'promote',
    group: 'deploying',
    summary: 'make a server of a database take writes',
    load: () => import('./verbs/promote.ts'),
  },
  {
    name: 'delete-backups',
    group: 'deploying',
    summary: 'forget the backups of a database that is gone',
    load: () => import('./verbs/delete-backups.ts'),
  },
  {
    name: 'operations',
    group: 'deploying',
    summary: "run one of pgEdge's planning functions on an input",
    load: () => import('./verbs/operations.ts'),
  },
  {
    name: 'databases',
    group: 'looking',
    summary: 'list databases, their nodes and how they are',
    load: () => import('./verbs/databases.ts'),
  },
  {
    name: 'database',
    group: 'looking',
    summary: 'show the servers of a database, or compare its nodes',
    load: () => import('./verbs/database.ts'),
  },
  {
    name: 'database-ca',
    group: 'looking',
    summary: 'print the certificate by which clients check the servers of a database',
    load: () => import('./verbs/database-ca.ts'),
  },
  {
    name: 'watch',
    group: 'looking',
    summary: 'show the verdict on a database, and each change as it happens',
    load: () => import('./verbs/watch.ts'),
  },
  {
    name: 'psql',
    group: 'looking',
    summary: 'open a session with a database',
    load: () => import('./verbs/psql.ts'),
  },
  {
    name: 'backups',
    group: 'looking',
    summary: 'list the backups of a database and what they can be restored to',
    load: () => import('./verbs/backups.ts'),
  },
]
