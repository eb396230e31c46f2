import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect } from 'vitest'
import type { Ran } from './remodel.ts'

/** Writes files into a folder, with the folders that they lie in. */
export async function writeInto(folder: { in(path: string): string }, some: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(some)) {
    await mkdir(dirname(folder.in(path)), { recursive: true })
    await writeFile(folder.in(path), content)
  }
}

/** Starts everything, and tells it what there is to build with: a light stemcell and `cloud.yml`. */
export async function upWithCloud(run: (...args: string[]) => Promise<Ran>): Promise<void> {
  expect(await run(...up)).toMatchObject({ code: 0 })
  const stemcell = ['upload-stemcell', '--light', '--name', 'host', '--os', 'debian', '--version', '12']
  expect(await run(...stemcell)).toMatchObject({ code: 0 })
  expect(await run('update-cloud-config', 'cloud.yml')).toMatchObject({ code: 0 })
}

export const up = ['up', '--detach', '--port', '0', '--compilers', '1', '--assemblers', '1'] as const

/** Of a job `web` whose process does nothing. */
export const idleJob: Record<string, string> = {
  'release/jobs/web/monit': `check process web
  with pidfile /var/vcap/sys/run/web/web.pid
  start program "/var/vcap/jobs/web/bin/ctl start"
  stop program "/var/vcap/jobs/web/bin/ctl stop"
  group vcap
`,
  'release/jobs/web/templates/ctl.erb': `#!/bin/sh
mkdir -p /var/vcap/sys/run/web
case $1 in
start) sleep 100000 >/dev/null 2>&1 & echo $! > /var/vcap/sys/run/web/web.pid ;;
stop) kill "$(cat /var/vcap/sys/run/web/web.pid)"; rm -f /var/vcap/sys/run/web/web.pid ;;
esac
`,
}

/** A deployment `site` of two instances that greet `name`, from the release in `release`; `drain`: in seconds. */
export const manifest = (name: string, { fail = false, disk = false, drain = 0 } = {}): string => `name: site
releases: [{name: site, version: create, url: "file:release"}]
stemcells: [{alias: default, os: debian, version: latest}]
update: {canaries: 1, max_in_flight: 1, canary_watch_time: 100-20000, update_watch_time: 100-20000}
instance_groups:
- name: web
  instances: 2
  azs: [z1]
  vm_type: small
${disk ? '  persistent_disk: 16\n' : ''}  stemcell: default
  networks: [{name: default}]
  jobs: [{name: web, release: site, properties: {name: ${name}, fail: ${fail}, drain: ${drain}}}]
`

export const release = (greeting: string): Record<string, string> => ({
  'release/jobs/web/templates/greeting.erb': `${greeting} <%= p('name') %>\n`,
})

/** What the manifest needs. `net`: the first three numbers of the addresses, others in each file of tests. */
export const files = (net: string): Record<string, string> => ({
  'cloud.yml': `azs: [{name: z1}]
vm_types: [{name: small}]
networks: [{name: default, type: manual, subnets: [{range: ${net}.0/24, azs: [z1], gateway: ${net}.1}]}]
compilation: {workers: 1, reuse_compilation_vms: true, az: z1, vm_type: small, network: default}
`,
  'release/config/final.yml': 'name: site\n',
  'release/jobs/web/spec': `name: web
templates: {ctl.erb: bin/ctl, pre-start.erb: bin/pre-start, greeting.erb: bin/greeting, drain.erb: bin/drain}
packages: [words]
properties: {name: {description: name}, fail: {description: fail, default: false}, drain: {description: drain, default: 0}}
`,
  'release/packages/words/spec': 'name: words\nfiles: []\n',
  'release/packages/words/packaging': 'echo words > $BOSH_INSTALL_TARGET/words\n',
  ...idleJob,
  'release/jobs/web/templates/drain.erb': '#!/bin/sh\nsleep <%= p("drain") %>\necho 0\n',
  'release/jobs/web/templates/pre-start.erb': `#!/bin/sh
<% if p('fail') %>echo "no such database" >&2; exit 1<% end %>
`,
})
