import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'

/**
 * Releases of others, as their repositories have them, on a light stemcell. REMODEL_PUBLIC_RELEASES
 * holds a checkout of each.
 */
const checkouts = process.env.REMODEL_PUBLIC_RELEASES

interface Public {
  repository: string
  jobs: Record<string, object>
  /** What the jobs say that they do: a command on the instance, and what it must print. */
  does: [command: string, prints: string][]
}

const releases: Public[] = [
  {
    repository: 'os-conf-release',
    jobs: {
      login_banner: { login_banner: { text: 'mind the step' } },
      user_add: { users: [{ name: 'clara', public_key: 'ssh-ed25519 AAAA clara' }] },
      limits_not_recommended: { limits_conf: 'clara soft nofile 1234' },
      'pre-start-script': { script: '#!/bin/bash\necho before > /var/vcap/data/said\n' },
      'post-deploy-script': { script: '#!/bin/bash\necho after >> /var/vcap/data/said\n' },
      'pre-stop-script': { script: '#!/bin/bash\nexit 0\n' },
      'post-stop-script': { script: '#!/bin/bash\nexit 0\n' },
      modprobe: { modules: [] },
      ntpdate: {},
      monit: {},
      ca_certs: {},
      resolv: { search: 'example.test', options: ['rotate'] },
    },
    does: [
      ['cat /etc/issue.net', 'mind the step'],
      ['cat ~clara/.ssh/authorized_keys', 'ssh-ed25519 AAAA clara'],
      ['getent passwd clara | cut -d: -f6,7', '/home/clara:/bin/bash'],
      ['tail -1 /etc/security/limits.d/61-bosh-os-conf.conf', 'clara soft nofile 1234'],
      ['cat /var/vcap/data/said', 'before\nafter'],
      ['id -nG clara | tr " " "\\n" | sort | tr "\\n" " "', 'admin bosh_sshers bosh_sudoers clara vcap'],
      ['tail -2 /etc/resolv.conf', 'search example.test\noptions rotate'],
    ],
  },
  {
    repository: 'networking-release',
    jobs: { routes: { networking: { routes: [] } } },
    does: [
      ['ls /var/vcap/sys/run/routes', 'routes.check'],
      ['grep -o "routes_ctl start" /var/vcap/sys/log/routes/routes.out.log', 'routes_ctl start'],
    ],
  },
  {
    repository: 'bosh-dns-aliases-release',
    jobs: {
      'bosh-dns-aliases': {
        aliases: [
          {
            domain: 'web.test',
            targets: [{ query: '*', instance_group: 'web', deployment: 'shop_1', network: 'default', domain: 'bosh' }],
          },
        ],
      },
    },
    does: [
      ["tr -d ' \\n' < /var/vcap/jobs/bosh-dns-aliases/dns/aliases.json", '{"web.test":["*.web.default.shop-1.bosh"]}'],
    ],
  },
]

let stack: TestStack
let client: Client
beforeAll(async () => {
  if (checkouts === undefined) return
  stack = await startServices()
  client = stack.client()
  await client.addStemcell({ name: 'local', os: 'local', version: '1' })
}, 240_000)
afterAll(() => stack?.stop())

const pathOf = (repository: string) => join(checkouts ?? '', repository)
const missing = releases.map(({ repository }) => repository).filter((one) => !checkouts || !existsSync(pathOf(one)))
if (missing.length > 0)
  console.warn(`skipped: no checkout of ${missing.join(', ')}; set REMODEL_PUBLIC_RELEASES to the folder that has them`)

for (const { repository, jobs, does } of releases) {
  test.skipIf(missing.includes(repository))(
    `${repository} deploys unchanged on a light stemcell and does what it says`,
    async () => {
      const { release } = await uploadRelease(pathOf(repository), client)
      const view = await client.plan({
        manifest: { name: 'public.yml', content: manifestOf(repository, release, jobs) },
        cloudConfigs: [{ name: 'cloud.yml', content: cloud }],
      })
      await client.apply(view.plan.id, {})
      const ended = await settled(client, view.plan.id, 240_000)
      expect(ended === 'done' ? '' : JSON.stringify((await client.planView(view.plan.id)).status.errors)).toBe('')
      for (const [command, prints] of does) {
        const argv = ['/bin/bash', '-c', command]
        expect((await client.exec(repository, 'it/0', { argv })).stdout.trim(), command).toBe(prints)
      }
      const { deviations } = await client.verdict(repository, 10)
      expect(deviations).toEqual([])
    },
    600_000,
  )
}

const cloud = JSON.stringify({
  azs: [{ name: 'z1' }],
  vm_types: [{ name: 'small' }],
  networks: [
    {
      name: 'default',
      type: 'manual',
      subnets: [{ range: '127.66.1.0/24', gateway: '127.66.1.1', azs: ['z1'] }],
    },
  ],
  compilation: { workers: 1, az: 'z1', network: 'default', vm_type: 'small' },
})

function manifestOf(name: string, release: { name: string; version: string }, jobs: Public['jobs']): string {
  return JSON.stringify({
    name,
    releases: [{ name: release.name, version: release.version }],
    stemcells: [{ alias: 'default', os: 'local', version: '1' }],
    update: { canaries: 1, max_in_flight: 1, canary_watch_time: '200-60000', update_watch_time: '200-60000' },
    instance_groups: [
      {
        name: 'it',
        instances: 1,
        azs: ['z1'],
        stemcell: 'default',
        vm_type: 'small',
        networks: [{ name: 'default' }],
        jobs: Object.entries(jobs).map(([job, properties]) => ({ name: job, release: release.name, properties })),
      },
    ],
  })
}
