import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../support/services.ts'
import { fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const vcap = fieldCase('B10')

/** On a light stemcell: what this computer lacks of BOSH's users is there all the same. */
describe.skipIf(!vcap)('a job that runs as vcap', () => {
  let stack: TestStack
  let folder: string
  beforeAll(async () => {
    stack = await startServices()
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
    folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
    await cp(vcap!, folder, { recursive: true, dereference: true })
    const manifest = join(folder, 'manifest.yml')
    await writeFile(
      manifest,
      (await readFile(manifest, 'utf8')).replace('os: tiny, version: "1.10"', 'os: local, version: "1"'),
    )
  })
  afterAll(async () => {
    await stack?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('reads its configuration and writes to its log, run and data folders', async () => {
    const field = await FieldDeploys.open(stack.client(), folder)
    expect(await field.deploy('manifest.yml')).toBe('done')
    const modes = await field.said(
      'vcap',
      'web/0',
      'cd /var/vcap; stat -Lc "%n %U:%G %a" jobs/app/config/app.yml sys/log/app sys/run/app data/app sys/log/app/app.log',
    )
    expect(modes.split('\n')).toEqual([
      'jobs/app/config/app.yml root:vcap 640',
      'sys/log/app root:vcap 770',
      'sys/run/app root:vcap 770',
      'data/app root:vcap 770',
      'sys/log/app/app.log vcap:vcap 644',
    ])
    expect(await field.said('vcap', 'web/0', 'stat -c %U /proc/$(cat /var/vcap/sys/run/app/app.pid)')).toBe('vcap')
  }, 150_000)

  test('finds on its machine what every stemcell of BOSH has', async () => {
    const field = await FieldDeploys.open(stack.client(), folder)
    expect(await field.deploy('manifest.yml')).toBe('done')
    const said = (command: string) => field.said('vcap', 'web/0', command)
    expect(
      await said(
        'id -nG vcap; getent passwd syslog | cut -d: -f1; getent group adm admin bosh_sudoers bosh_sshers | wc -l',
      ),
    ).toBe('vcap\nsyslog\n4')
    expect(
      await said('echo "search here" > /etc/resolvconf/resolv.conf.d/tail; resolvconf -u; tail -1 /etc/resolv.conf'),
    ).toBe('search here')
  }, 150_000)
})
