import { materialType } from '../../shared/model/material.ts'
import { defineAction, defineKind } from '../contract/kind.ts'
import { BackUp, Promotion, Restart } from './action-inputs.ts'
import { instanceFields } from './api/instance.ts'
import { archivesOf } from './archive/archives.ts'
import { backupRoutes } from './http/backups.ts'
import { comparisonRoutes } from './http/comparison.ts'
import { statementRoutes } from './http/statements.ts'
import { serverLog } from './inputs.ts'
import { architect, checkClouds, deploymentName, nothing } from './plan/architect.ts'
import { backUp } from './plan/back-up.ts'
import { deviations, warnings } from './plan/deviations.ts'
import { foreman } from './plan/foreman.ts'
import { instances } from './plan/instances.ts'
import { losses } from './plan/losses.ts'
import { promote } from './plan/promote.ts'
import { holdings, spaces } from './plan/reservations.ts'
import { restart } from './plan/restart.ts'
import { Strategy } from './plan/strategy.ts'
import { readable } from './readable.ts'
import { recognises } from './recognises.ts'

/** PostgreSQL databases of several nodes that all take writes; `docs/use/database-kind.md`. */
export const kind = defineKind({
  name: 'database',
  strategy: Strategy,
  recognises,
  deploymentName,
  architect,
  checkClouds,
  nothing,
  keep: async (document, keeping) => (await import('./plan/keep-passwords.ts')).keepPasswords(document, keeping),
  check: async (document) => (await import('./settings/check.ts')).checkSettings(document),
  // It brings the client of PostgreSQL along, which planning offline and other kinds have no use for.
  inspector: async (blueprint, world) => (await import('./inspection/inspector.ts')).inspector(blueprint, world),
  foreman,
  deviations,
  warnings,
  losses,
  made: ({ purpose, resource }) => materialType(purpose) === 'host' && resource !== undefined,
  spaces,
  holdings,
  actions: {
    'back-up': defineAction({ input: BackUp, plan: backUp }),
    promote: defineAction({ input: Promotion, plan: promote }),
    restart: defineAction({ input: Restart, plan: restart }),
  },
  keptBlobs: (stores, deployment) => archivesOf(stores).digests(deployment),
  routes: (server, services) => {
    backupRoutes(server, services)
    comparisonRoutes(server, services)
    statementRoutes(server, services)
  },
  instances,
  logs: [serverLog],
  readable,
  instanceFields,
  describe: async (instance, seen, looking) => (await import('./live/describe.ts')).describe(instance, seen, looking),
})
