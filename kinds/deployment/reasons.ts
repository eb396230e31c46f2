import { definePhrases } from '../contract/reason.ts'

/** What of an instance's contents a reason is about. */
export type Content = 'job' | 'package' | 'configuration'

/** Why a remodel of kind `deployment` is in a plan. */
export type DeploymentReason =
  | { code: 'instance-new' }
  // Why an instance cannot stay on its machine; the kinds of change are BOSH's.
  | { code: 'machine-gone' }
  | { code: 'recreate-asked' }
  | { code: 'stemcell-changed'; before: string; after: string }
  | { code: 'vm-type-changed' }
  | { code: 'az-changed'; before: string | null; after: string | null }
  | { code: 'network-changed' }
  | { code: 'machine-silent' }
  // Why what runs on a machine changes.
  | { code: 'content-changed'; what: Content; name: string }
  | { code: 'content-added'; what: Content; name: string }
  | { code: 'content-removed'; what: Content; name: string }
  | { code: 'health-checks-changed'; job: string }
  | { code: 'state-changed'; before: string; after: string }
  | { code: 'processes-failing' }
  // What a person asks for.
  | { code: 'asked'; what: 'stop' | 'start' | 'restart' | 'ignore' | 'unignore' }
  // Of disks.
  | { code: 'disk-gone' }
  | { code: 'disk-added' }
  | { code: 'disk-removed' }
  | { code: 'disk-size-changed'; beforeMiB: number | null; afterMiB: number | null }
  | { code: 'disk-type-changed'; before: string | null; after: string | null }
  | { code: 'disk-unwanted' }
  | { code: 'disk-without-instance' }
  // Of the deployment.
  | { code: 'deployment-removed' }
  | { code: 'instance-unwanted' }
  | { code: 'left-over' }
  | { code: 'unrecorded' }
  | { code: 'group-renamed'; group: string }
  | { code: 'instances-come-and-go' }
  | { code: 'addresses-changed' }
  | { code: 'deployment-changed' }
  | { code: 'no-post-deploy-script' }
  | { code: 'not-compiled'; os: string; version: string }

const contents: Readonly<Record<Content, string>> = {
  job: 'job',
  package: 'package',
  configuration: 'configuration of',
}

export const phrases = definePhrases<DeploymentReason>({
  'instance-new': () => 'instance is new',
  'machine-gone': () => 'machine is gone',
  'recreate-asked': () => 'recreate asked',
  'stemcell-changed': ({ before, after }) => `stemcell changed ${before} -> ${after}`,
  'vm-type-changed': () => 'vm type changed',
  'az-changed': ({ before, after }) => `az changed ${before ?? 'none'} -> ${after ?? 'none'}`,
  'network-changed': () => 'network changed',
  'machine-silent': () => 'machine does not answer',
  'content-changed': ({ what, name }) => `${contents[what]} ${name} changed`,
  'content-added': ({ what, name }) => `${contents[what]} ${name} added`,
  'content-removed': ({ what, name }) => `${contents[what]} ${name} removed`,
  'health-checks-changed': ({ job }) => `health checks of ${job} changed`,
  'state-changed': ({ before, after }) => `state changed ${before} -> ${after}`,
  'processes-failing': () => 'processes are failing',
  asked: ({ what }) => `${what} asked`,
  'disk-gone': () => 'disk is gone',
  'disk-added': () => 'disk added',
  'disk-removed': () => 'disk removed',
  'disk-size-changed': ({ beforeMiB, afterMiB }) => `disk size changed ${beforeMiB} -> ${afterMiB} MiB`,
  'disk-type-changed': ({ before, after }) => `disk type changed ${before ?? 'none'} -> ${after ?? 'none'}`,
  'disk-unwanted': () => 'disk removed from manifest',
  'disk-without-instance': () => 'its instance is gone',
  'deployment-removed': () => 'deployment is removed',
  'instance-unwanted': () => 'instance removed from manifest',
  'left-over': () => 'left over by an interrupted plan',
  unrecorded: () => 'stands and is not recorded',
  'group-renamed': ({ group }) => `migrated_from of group ${group}`,
  'instances-come-and-go': () => 'instances come and go',
  'addresses-changed': () => 'addresses changed',
  'deployment-changed': () => 'the deployment has changed',
  'no-post-deploy-script': () => 'no job has a post-deploy script',
  'not-compiled': ({ os, version }) => `not compiled yet for ${os}/${version}`,
})
