import { groups, type VerbEntry } from '../verb.ts'

/** The command's own verbs, in the order of the help. */
export const ownVerbs: readonly VerbEntry[] = [
  { name: 'deploy', group: 'deploying', summary: 'plan, ask, apply and watch', load: () => import('./deploy.ts') },
  { name: 'plan', group: 'deploying', summary: 'show what a deploy would change', load: () => import('./plan.ts') },
  {
    name: 'apply',
    group: 'deploying',
    summary: 'carry out a plan that was reviewed',
    load: () => import('./apply.ts'),
  },
  {
    name: 'rollback',
    group: 'deploying',
    summary: 'make a deployment again what it was before',
    load: () => import('./rollback.ts'),
  },
  {
    name: 'bring-back',
    group: 'deploying',
    summary: 'make anew what is gone of deployments',
    load: () => import('./bring-back.ts'),
  },
  {
    name: 'heal',
    group: 'deploying',
    summary: 'have what is lost of a deployment made anew by itself',
    load: () => import('./heal.ts'),
  },
  {
    name: 'stop',
    group: 'deploying',
    summary: 'stop instances, until they are started again',
    load: () => import('./stop.ts'),
  },
  { name: 'start', group: 'deploying', summary: 'start what was stopped', load: () => import('./start.ts') },
  {
    name: 'restart',
    group: 'deploying',
    summary: 'stop and start instances, one after the other',
    load: () => import('./restart.ts'),
  },
  { name: 'recreate', group: 'deploying', summary: 'give instances new machines', load: () => import('./recreate.ts') },
  { name: 'ignore', group: 'deploying', summary: 'leave instances alone', load: () => import('./ignore.ts') },
  { name: 'unignore', group: 'deploying', summary: 'take an ignore back', load: () => import('./unignore.ts') },
  { name: 'delete', group: 'deploying', summary: 'take a deployment away', load: () => import('./delete.ts') },

  { name: 'deployments', group: 'looking', summary: 'list what is deployed', load: () => import('./deployments.ts') },
  {
    name: 'instances',
    group: 'looking',
    summary: 'list instances and how they are',
    load: () => import('./instances.ts'),
  },
  {
    name: 'logs',
    group: 'looking',
    summary: 'show the logs of instances, and follow them',
    load: () => import('./logs.ts'),
  },
  { name: 'exec', group: 'looking', summary: 'run a command on an instance', load: () => import('./exec.ts') },
  { name: 'events', group: 'looking', summary: 'show the history of a deployment', load: () => import('./events.ts') },
  {
    name: 'versions',
    group: 'looking',
    summary: 'list the orders that a deployment was deployed by',
    load: () => import('./versions.ts'),
  },
  {
    name: 'manifest',
    group: 'looking',
    summary: 'print the manifest of a deployment',
    load: () => import('./manifest.ts'),
  },
  { name: 'diff', group: 'looking', summary: 'compare manifests of two versions', load: () => import('./diff.ts') },

  { name: 'tasks', group: 'tasks', summary: 'list plans, newest first', load: () => import('./tasks.ts') },
  { name: 'task', group: 'tasks', summary: 'show one plan and its remodels', load: () => import('./task.ts') },
  { name: 'why', group: 'tasks', summary: 'say what a remodel waits for', load: () => import('./why.ts') },
  {
    name: 'approve',
    group: 'tasks',
    summary: 'let a remodel that waits for a person go on',
    load: () => import('./approve.ts'),
  },
  { name: 'cancel', group: 'tasks', summary: 'stop a running plan', load: () => import('./cancel.ts') },
  { name: 'locks', group: 'tasks', summary: 'list locks and their holders', load: () => import('./locks.ts') },
  { name: 'unlock', group: 'tasks', summary: 'take a lock away by its id', load: () => import('./unlock.ts') },

  { name: 'releases', group: 'catalog', summary: 'list uploaded releases', load: () => import('./releases.ts') },
  { name: 'upload-release', group: 'catalog', summary: 'upload a release', load: () => import('./upload-release.ts') },
  {
    name: 'inspect-release',
    group: 'catalog',
    summary: 'show jobs and packages of a release, and what is compiled',
    load: () => import('./inspect-release.ts'),
  },
  {
    name: 'export-release',
    group: 'catalog',
    summary: 'write a compiled release as a tarball',
    load: () => import('./export-release.ts'),
  },
  {
    name: 'clean-up',
    group: 'catalog',
    summary: 'delete what no deployment needs any more',
    load: () => import('./clean-up.ts'),
  },
  {
    name: 'verify',
    group: 'catalog',
    summary: 'compile packages again and compare',
    load: () => import('./verify.ts'),
  },
  { name: 'stemcells', group: 'catalog', summary: 'list uploaded stemcells', load: () => import('./stemcells.ts') },
  {
    name: 'upload-stemcell',
    group: 'catalog',
    summary: 'upload a stemcell',
    load: () => import('./upload-stemcell.ts'),
  },
  {
    name: 'update-cloud-config',
    group: 'catalog',
    summary: 'store the cloud config that plans use',
    load: () => import('./update-cloud-config.ts'),
  },
  { name: 'configs', group: 'catalog', summary: 'list stored configs', load: () => import('./configs.ts') },
  {
    name: 'cloud-config',
    group: 'catalog',
    summary: 'print a stored cloud config',
    load: () => import('./cloud-config.ts'),
  },
  {
    name: 'diff-cloud-config',
    group: 'catalog',
    summary: 'compare a file with the stored cloud config',
    load: () => import('./diff-cloud-config.ts'),
  },
  {
    name: 'delete-cloud-config',
    group: 'catalog',
    summary: 'delete a stored cloud config',
    load: () => import('./delete-cloud-config.ts'),
  },

  { name: 'up', group: 'stack', summary: 'run everything on this machine', load: () => import('./up.ts') },
  { name: 'down', group: 'stack', summary: 'stop what `up` started', load: () => import('./down.ts') },
  {
    name: 'board',
    group: 'stack',
    summary: 'print a link that opens Bull Board once',
    load: () => import('./board.ts'),
  },
  { name: 'env', group: 'stack', summary: 'print variables for programs of your own', load: () => import('./env.ts') },
  {
    name: 'version',
    group: 'stack',
    summary: 'versions of the command and the planner',
    load: () => import('./version.ts'),
  },
  {
    name: 'completion',
    group: 'stack',
    summary: 'print a completion script for your shell',
    load: () => import('./completion.ts'),
  },
]

/**
 * The verb of this name, looked for where that costs least: the command's own, those of kinds, those of extensions.
 * Else all verbs.
 */
export async function verbsFor(name: string | undefined): Promise<readonly VerbEntry[]> {
  const own = ownVerbs.filter((verb) => verb.name === name)
  if (own.length > 0) return own
  const { verbsOfKinds } = await import('../of-kinds.ts')
  const found = (await verbsOfKinds()).filter((verb) => verb.name === name)
  return found.length > 0 ? found : allVerbs()
}

/** All verbs, group by group. Of two with one name the first stays, so the command's own. */
export async function allVerbs(): Promise<VerbEntry[]> {
  const { verbsOfExtensions, verbsOfKinds } = await import('../of-kinds.ts')
  const all = [...ownVerbs, ...(await verbsOfKinds()), ...(await verbsOfExtensions())]
  const byName = new Map(all.toReversed().map((verb) => [verb.name, verb]))
  const kept = all.filter((verb) => byName.get(verb.name) === verb)
  return Object.keys(groups).flatMap((group) => kept.filter((verb) => verb.group === group))
}
