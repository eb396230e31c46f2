import type { z } from 'zod'
import { Event } from '../../shared/api/schemas/event.ts'
import { PlanStatus, PlanView } from '../../shared/api/schemas/plan.ts'
import { Plan, type Remodel } from '../../shared/model/plan.ts'

type RemodelInput = Pick<
  z.input<typeof import('../../shared/model/plan.ts').Remodel>,
  'id' | 'action' | 'material' | 'title' | 'stage'
> &
  Partial<z.input<typeof import('../../shared/model/plan.ts').Remodel>>

/** Title, verb and subject of a remodel. */
const heading = (verb: string, subject: string) => ({ title: `${verb} ${subject}`, verb, subject })

/** A plan as the planner would store it, from the fields that a test is about. */
export function plan(remodels: RemodelInput[], more: Partial<z.input<typeof Plan>> = {}): Plan {
  return Plan.parse({
    format: 1,
    id: 'p3f2a91c04d7e',
    deployment: 'web',
    kind: 'deployment',
    floorplan: { version: 4, digest: 'a'.repeat(64) },
    blueprint: 'b'.repeat(64),
    remodels: remodels.map((remodel) => ({
      step: remodel.id.split(' ')[0] ?? 'step',
      queue:
        remodel.action === 'barrier' || remodel.action === 'approve'
          ? null
          : remodel.action === 'compile'
            ? 'compile'
            : 'assemble',
      needs: [],
      reasons: [],
      changes: [],
      input: {},
      deadlineSeconds: 60,
      attempts: 3,
      ...remodel,
    })),
    permits: [],
    windows: [],
    notes: [],
    digest: 'c'.repeat(64),
    ...more,
  })
}

const stage = {
  compile: 'Compiling packages',
  vms: 'Creating VMs',
  web: 'Updating instance web',
  db: 'Updating instance db',
  old: 'Cleaning up',
}

/** One of everything: compile, create, update, replace, delete, a barrier, an approval, lost data and a note. */
export function samplePlan(): Plan {
  const key = `3f2a${'0123456789abcdef'.repeat(4)}`.slice(0, 64)
  const updated = (index: number): RemodelInput[] => {
    const reasons = ['configuration of job nginx changed', 'package zlib changed 1.2.13 -> 1.3.1']
    const changes = [
      { path: 'configuration.nginx', before: '0'.repeat(64), after: key },
      { path: 'packages.zlib', before: '1'.repeat(64), after: key },
    ]
    const material = `instance/web/${index}`
    return [
      {
        id: `prepare-instance web/${index}`,
        action: 'update',
        material,
        ...heading('prepare', `web/${index}`),
        stage: stage.web,
        reasons,
        changes,
      },
      {
        id: `stop-instance web/${index}`,
        action: 'update',
        material,
        ...heading('stop', `web/${index}`),
        stage: stage.web,
        reasons,
        needs: [`prepare-instance web/${index}`],
      },
      {
        id: `start-instance web/${index}`,
        action: 'update',
        material,
        ...heading('start', `web/${index}`),
        stage: stage.web,
        reasons,
        needs: [`stop-instance web/${index}`],
      },
    ]
  }
  return plan(
    [
      {
        id: 'compile-package zlib',
        action: 'compile',
        material: `package/zlib/${key}`,
        title: 'compile zlib',
        stage: stage.compile,
        reasons: ['not compiled for debian 12'],
      },
      {
        id: 'compile-package nginx',
        action: 'compile',
        material: `package/nginx/${key}`,
        title: 'compile nginx',
        stage: stage.compile,
        reasons: ['its dependency zlib changed'],
        needs: ['compile-package zlib'],
      },
      {
        id: 'create-vm web/2',
        action: 'create',
        material: 'vm/5c1e2f',
        title: 'create a VM for web/2',
        stage: stage.vms,
        reasons: ['instance group web grows from 2 to 3'],
        changes: [
          { path: 'az', after: 'z1' },
          { path: 'stemcell', after: 'host/12' },
          { path: 'networks', after: [{ name: 'default', address: '127.7.0.12' }] },
        ],
      },
      {
        id: 'barrier packages',
        action: 'barrier',
        material: 'deployment/web',
        title: 'all packages are compiled',
        stage: stage.compile,
        needs: ['compile-package nginx'],
      },
      ...updated(0),
      {
        id: 'approve web',
        action: 'approve',
        material: 'deployment/web',
        title: 'approve after the canary',
        stage: stage.web,
        needs: ['start-instance web/0'],
      },
      ...updated(1),
      {
        id: 'start-instance web/2',
        action: 'create',
        material: 'instance/web/2',
        title: 'start web/2',
        stage: stage.web,
        needs: ['create-vm web/2', 'approve web'],
        reasons: ['instance group web grows from 2 to 3'],
      },
      {
        id: 'recreate db/0',
        action: 'replace',
        material: 'instance/db/0',
        title: 'recreate db/0',
        stage: stage.db,
        reasons: ['stemcell changed 11 -> 12'],
        changes: [{ path: 'stemcell', before: 'host/11', after: 'host/12' }],
      },
      {
        id: 'delete-disk db/1',
        action: 'delete',
        material: 'disk/db/1',
        title: 'delete the disk of db/1',
        stage: stage.old,
        reasons: ['instance group db shrinks from 2 to 1'],
        destructive: true,
        changes: [{ path: 'sizeMiB', before: 1024 }],
      },
    ],
    { notes: ['db/1 does not answer since 09:58:12; it is deleted without its drain script'] },
  )
}

export function emptyPlan(): Plan {
  return plan([])
}

const START = Date.parse('2026-11-22T10:00:00Z')

function status(of: Plan, more: Partial<z.input<typeof PlanStatus>> = {}): PlanStatus {
  const total = of.remodels.length
  return PlanStatus.parse({
    id: of.id,
    deployment: of.deployment,
    kind: of.kind,
    state: 'done',
    createdAt: START - 5000,
    startedAt: START,
    finishedAt: START + 14_200,
    counts: { total, done: total, failed: 0, skipped: 0, running: 0 },
    errors: [],
    moreErrors: 0,
    ...more,
  })
}

export function view(
  of: Plan,
  more: Partial<z.input<typeof PlanStatus>> = {},
  state: (remodel: Remodel) => string = () => 'done',
): PlanView {
  return PlanView.parse({
    plan: of,
    status: status(of, more),
    remodels: of.remodels.map((remodel, index) => ({
      id: remodel.id,
      state: state(remodel),
      attempt: 1,
      fence: index + 1,
      worker: null,
      startedAt: START + index * 500,
      finishedAt: START + index * 500 + 450,
    })),
  })
}

/** Events in order; `after` is in milliseconds since the plan began. */
export function events(
  of: Plan,
  list: (Partial<z.input<typeof Event>> & { type: Event['type']; after: number })[],
): Event[] {
  return list.map(({ after, ...event }, index) =>
    Event.parse({ seq: index + 1, at: START + after, plan: of.id, ...event }),
  )
}
