import type { Lifecycle } from '../../kinds/deployment/plan/lifecycle.ts'
import { emptyFloorplan, type Floorplan } from '../../shared/model/material.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { execute } from '../kinds/deployment/execution.ts'
import { plan } from '../kinds/deployment/planning.ts'
import { cloudText, given, manifestText, older } from '../kinds/deployment/shop.ts'

const catalog = given()
const nothing = emptyFloorplan('shop')

/** What is recorded once a manifest was deployed. */
async function deployed(manifest = manifestText, with_ = catalog): Promise<Floorplan> {
  return execute(await plan(manifest, with_, nothing), nothing, () => 0).floorplan
}

/** The manifest with pieces of its text replaced; each is there once at least. */
function edited(...pieces: [string, string][]): string {
  return pieces.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the manifest has no ${from}`)
    return text.replace(from, to)
  }, manifestText)
}

const asks = (what: Lifecycle['what'], ...parts: string[]) => ({ own: { lifecycle: { what, parts } } })

/** The same with one instance stopped. */
async function stopped(): Promise<Floorplan> {
  const before = await deployed()
  return execute(await plan(manifestText, catalog, before, asks('stop', 'web/1')), before, () => 0).floorplan
}

const twoAddresses = (db: string, web: string) =>
  edited(
    ['[10.0.0.10]', `[${db}]`],
    ['azs: [z1, z2]\n  instances: 3', 'azs: [z1]\n  instances: 1'],
    ['networks: [{name: net}]', `networks: [{name: net, static_ips: [${web}]}]`],
  )

/** Name of the file -> the plan in it. */
export const deploymentScenarios: Record<string, () => Promise<Plan>> = {
  'first-deploy': () => plan(manifestText, catalog),
  'nothing-changed': async () => plan(manifestText, catalog, await deployed()),
  'property-changed': async () => plan(edited(['8080', '9090']), catalog, await deployed()),
  'other-stemcell': async () => plan(edited(['1.latest', '1.1']), catalog, await deployed()),
  'new-release-version': async () =>
    plan(manifestText, catalog, await deployed(manifestText, given(cloudText, [older]))),
  'scaled-up': async () => plan(edited(['instances: 3', 'instances: 5']), catalog, await deployed()),
  'scaled-down': async () => plan(edited(['instances: 3', 'instances: 2']), catalog, await deployed()),
  'larger-disk': async () =>
    plan(manifestText, given(cloudText.replace('disk_size: 1024', 'disk_size: 2048')), await deployed()),
  'disk-not-wanted': async () => plan(edited(['  persistent_disk_type: fast\n', '']), catalog, await deployed()),
  'addresses-exchanged': async () =>
    plan(twoAddresses('10.0.0.11', '10.0.0.10'), catalog, await deployed(twoAddresses('10.0.0.10', '10.0.0.11'))),
  'group-renamed': async () =>
    plan(edited(['- name: db\n', '- name: store\n  migrated_from: [{name: db}]\n']), catalog, await deployed()),
  'group-removed': async () =>
    plan(
      twoAddresses('10.0.0.10', '10.0.0.11').replace(/- name: web[\s\S]*$/, ''),
      catalog,
      await deployed(twoAddresses('10.0.0.10', '10.0.0.11')),
    ),
  'machine-gone': async () => {
    const before = await deployed()
    const vm = before.materials.find(({ id }) => id === 'instance/db/0')?.meta.vm
    return plan(manifestText, catalog, before, { healths: { [`vm/${vm}`]: 'missing' } })
  },
  'processes-failing': async () =>
    plan(manifestText, catalog, await deployed(), { healths: { 'instance/web/2': 'failing' } }),
  'canary-failed': async () => {
    // The plan that follows the one whose canary did not come up: its machine is there, the others are as they were.
    const [before, next] = [await deployed(), edited(['8080', '9090'])]
    const failed = await plan(next, catalog, before)
    const until = execute(failed, before, () => 0, {
      most: failed.remodels.findIndex(({ id }) => id === 'start-instance web/0'),
    })
    return plan(next, catalog, until.floorplan, { healths: { 'instance/web/0': 'failing' } })
  },
  stopped: async () => plan(manifestText, catalog, await deployed(), asks('stop', 'web')),
  'changed-while-stopped': async () => plan(edited(['8080', '9090']), catalog, await stopped()),
  'started-after-a-change': async () => plan(edited(['8080', '9090']), catalog, await stopped(), asks('start')),
  'no-longer-ignored': async () => {
    const before = await deployed()
    const ignored = await plan(manifestText, catalog, before, asks('ignore', 'web'))
    const { floorplan } = execute(ignored, before, () => 0)
    return plan(edited(['8080', '9090']), catalog, floorplan, asks('unignore'))
  },
  'restarted-one-by-one': async () => plan(manifestText, catalog, await deployed(), asks('restart', 'web')),
  'recreated-alone': async () => plan(manifestText, catalog, await deployed(), asks('recreate', 'web/1')),
  ignored: async () => plan(manifestText, catalog, await deployed(), asks('ignore', 'db/0')),
  'repaired-in-part': async () => {
    const before = await deployed()
    const lost = ['instance/web/0', 'instance/web/1']
    const vms = before.materials.flatMap(({ id, meta }) => (lost.includes(id) ? [`vm/${meta.vm}`] : []))
    const healths = Object.fromEntries([...lost, ...vms].map((id) => [id, 'missing' as const]))
    return plan(manifestText, catalog, before, { healths, repairs: ['instance/web/1'] })
  },
  recreated: async () => plan(manifestText, catalog, await deployed(), { recreate: true }),
  removed: async () => plan(manifestText, catalog, await deployed(), { remove: true }),
}
