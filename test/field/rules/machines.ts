import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { FieldDeploys } from '../deploying.ts'
import type { FieldCase } from '../field-case.ts'
import { until } from '../machines.ts'

/** The state after deploys of a folder's manifests, on real machines. */

const nameIn = (text: string) => (parse(text) as { name: string }).name

/**
 * What a disk has stays on it, and the disk with its instance, through all manifests of the folder, each
 * with its cloud config.
 */
export async function disksStay(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const manifests = await given.files(/manifest\.yml$/)
  const name = nameIn(await given.text(manifests[0]!))
  const disks = async () => (await deploys.client.instances(name)).map(({ disk }) => disk).sort()
  let before: (string | null)[] = []
  for (const [at, manifest] of manifests.entries()) {
    await given.check(`${manifest} keeps what is on the disks`, async () => {
      const cloud = manifest.replace('manifest', 'cloud')
      assert.equal(await deploys.deploy(manifest, { cloud }), 'done', await deploys.causes(name))
      const instances = (await deploys.client.instances(name)).map(({ instance }) => instance)
      for (const instance of instances) {
        if (at > 0) assert.equal(await deploys.said(name, instance, 'cat /var/vcap/store/kept'), instance)
        await deploys.said(name, instance, `echo ${instance} > /var/vcap/store/kept`)
      }
      if (at > 0) assert.deepEqual(await disks(), before)
      before = await disks()
    })
  }
}

/** A job that runs as vcap is up, on a stemcell that has no such user of its own. */
export async function runsAsVcap(given: FieldCase): Promise<void> {
  const stack = await given.machines.stack()
  const folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
  try {
    await cp(given.folder, folder, { recursive: true, dereference: true })
    const manifest = join(folder, 'manifest.yml')
    const text = (await readFile(manifest, 'utf8')).replace(/os: \w+, version: "[^"]*"/, 'os: local, version: "1"')
    await writeFile(manifest, text)
    const deploys = await FieldDeploys.open(stack.client(), folder)
    await given.check('its processes run as vcap', async () => {
      const name = nameIn(text)
      assert.equal(await deploys.deploy('manifest.yml'), 'done', await deploys.causes(name))
      const owners = await deploys.said(name, 'web/0', 'stat -c %U /proc/$(cat /var/vcap/sys/run/*/*.pid)')
      assert.deepEqual([...new Set(owners.split('\n'))], ['vcap'])
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * After a first deploy that failed the instance is listed as failing, its logs are read, and commands are run on it.
 */
export async function canBeLookedAt(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  for (const file of await given.files(/^(?!cloud).*\.yml$/)) {
    await given.check(`${file} fails, and its instances can be looked at`, async () => {
      const name = nameIn(await given.text(file))
      assert.equal(await deploys.deploy(file), 'failed')
      const seen = await deploys.client.instances(name)
      assert.deepEqual([...new Set(seen.map(({ state }) => state))], ['failing'])
      for (const { instance } of seen) {
        const { files } = await deploys.client.logs(name, instance, {})
        assert.ok(files.length > 0, 'there are no logs')
        assert.equal(await deploys.said(name, instance, 'cat /var/vcap/instance/deployment'), name)
      }
      const known = (await deploys.client.deployments()).find((one) => one.name === name)
      assert.equal(known?.lastPlan?.state, 'failed')
    })
  }
}

/** A pidfile on a disk that outlives its machine names no process: what it belongs to is started. */
export async function stalePidfiles(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const stack = await given.machines.stack()
  const [first, ...others] = await given.files(/^(?!cloud).*\.yml$/)
  const name = nameIn(await given.text(first!))
  const pidfile = '/var/vcap/store/*/*.pid'
  await given.check('the process is started anew on a new machine', async () => {
    assert.equal(await deploys.deploy(first!), 'done', await deploys.causes(name))
    const command = await deploys.said(name, 'web/0', `tr '\\0' ' ' < /proc/$(cat ${pidfile})/cmdline`)
    const before = await deploys.said(name, 'web/0', `cat ${pidfile}`)
    // A higher number, as it is started again after others.
    await deploys.said(name, 'web/0', `for i in $(seq 50); do /bin/true; done; kill ${before}`)
    await until(
      async () => !['', before].includes(await deploys.said(name, 'web/0', `cat ${pidfile}`)),
      'it is not started again',
    )
    const [instance] = await deploys.client.instances(name)
    const init = await readFile(join(stack.home, 'machines/vms', instance!.vm!, 'pid'), 'utf8')
    process.kill(Number.parseInt(init, 10), 'SIGKILL')
    for (const file of others) assert.equal(await deploys.deploy(file), 'done', await deploys.causes(name))
    assert.equal(await deploys.said(name, 'web/0', `tr '\\0' ' ' < /proc/$(cat ${pidfile})/cmdline`), command)
  })
}
