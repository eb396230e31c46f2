import type { OtherWords } from '../../../cli/sdk.ts'

/** Verbs of BOSH that are called otherwise here, and what does the same. */
const otherwise: Readonly<Record<string, string>> = {
  vms: 'remodel instances --ps',
  ssh: 'remodel exec DEPLOYMENT INSTANCE -- COMMAND',
  scp: 'remodel exec DEPLOYMENT INSTANCE -- COMMAND',
  'delete-deployment': 'remodel delete DEPLOYMENT',
  deld: 'remodel delete DEPLOYMENT',
  'cancel-task': 'remodel cancel PLAN',
  ct: 'remodel cancel PLAN',
  config: 'remodel cloud-config --name NAME',
  'update-config': 'remodel update-cloud-config --name NAME FILE',
  'diff-config': 'remodel diff-cloud-config --name NAME FILE',
  'delete-config': 'remodel delete-cloud-config --name NAME',
  ucc: 'remodel update-cloud-config FILE',
  environment: 'remodel version',
  'create-release': 'remodel upload-release FOLDER',
  cleanup: 'remodel clean-up',
  'cloud-check': 'remodel bring-back DEPLOYMENT',
  cck: 'remodel bring-back DEPLOYMENT',
  'update-resurrection': 'remodel heal DEPLOYMENT apply, or off',
}

/** Verbs of BOSH that have no counterpart. */
const absent = new Set([
  ...['run-errand', 'errands', 'variables', 'interpolate', 'int', 'log-in'],
  ...['log-out', 'alias-env', 'create-env', 'delete-env', 'snapshots', 'take-snapshot', 'delete-snapshot', 'disks'],
  ...['attach-disk', 'delete-disk', 'orphan-disk', 'delete-vm', 'curl'],
  ...['update-runtime-config', 'runtime-config', 'update-cpi-config', 'cpi-config'],
  ...['delete-release', 'delete-stemcell', 'generate-job', 'generate-package', 'init-release', 'add-blob', 'pcap'],
])

const options: Readonly<Record<string, string>> = {
  '-d': 'the deployment is named after the verb, or in the manifest',
  '--deployment': 'the deployment is named after the verb, or in the manifest',
  '-e': 'the planner is named with --planner URL',
  '--environment': 'the planner is named with --planner URL',
  '-n': 'deploy and delete go on without a question with -y',
  '--non-interactive': 'deploy and delete go on without a question with -y',
  '--dry-run': 'a deploy is only shown with `remodel plan FILE`',
  '-o': 'there are no ops files: change the manifest before it is given',
  '--ops-file': 'there are no ops files: change the manifest before it is given',
  '-v': 'there are no variables: fill the manifest in before it is given',
  '--var': 'there are no variables: fill the manifest in before it is given',
  '-l': 'there are no variables: fill the manifest in before it is given',
  '--vars-file': 'there are no variables: fill the manifest in before it is given',
  '--vars-store': 'there are no variables: fill the manifest in before it is given',
}

const more = 'docs/use/bosh-users.md has the rest'

/** The answer to a word that BOSH knows; undefined where BOSH does not know it either. */
function boshVerb(word: string): string | undefined {
  const here = Object.hasOwn(otherwise, word) ? otherwise[word] : undefined
  if (here !== undefined) return `${word} is a verb of BOSH; here it is: ${here} (${more})`
  return absent.has(word) ? `${word} is a verb of BOSH that Remodel does not have (${more})` : undefined
}

/** The same for an option, as it was typed, `=value` or a value at its end or not. */
function boshOption(word: string): string | undefined {
  const name = word.startsWith('--') ? word.split('=')[0]! : word.slice(0, 2)
  return Object.hasOwn(options, name) ? `${name} is an option of BOSH: ${options[name]} (${more})` : undefined
}

/** What people type who know BOSH. */
export const boshWords: OtherWords = { verb: boshVerb, option: boshOption }
