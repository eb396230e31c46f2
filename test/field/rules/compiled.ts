import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { uploadRelease } from '../../../cli/upload.ts'
import type { TestStack } from '../../support/services.ts'
import { FieldDeploys } from '../deploying.ts'
import type { FieldCase } from '../field-case.ts'
import { until } from '../machines.ts'

/** What compiling a folder's packages must come to, on real compile VMs. */

const run = promisify(execFile)

/** What a script leaves running, and what it changes of its machine, reaches no package that is compiled after it. */
export async function nothingIsLeftBehind(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  for (const file of await given.files(/^manifest.*\.yml$/)) {
    await given.check(`${file} is compiled, and its later packages see nothing of the first`, async () => {
      const view = await deploys.plan(file)
      const { deployment } = view.plan
      assert.equal(await deploys.carryOut(view), 'done', await deploys.causes(deployment))
      const seen = 'cat /var/vcap/packages/p*/probe; ls /var/vcap/packages/p*/INJECTED 2>/dev/null; true'
      const probes = await deploys.said(deployment, 'g/0', seen)
      assert.ok(!/SEES|INJECTED|urandom|while :/.test(probes), probes)
    })
  }
}

/** A compiled package whose blob is broken or gone is compiled again; nothing is taken down for it. */
export async function brokenBlobsHeal(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const stack = await given.machines.stack()
  assert.equal(await deploys.deploy('manifest.yml'), 'done')
  const compiled = await blobWith(stack, /^(\.\/)?x$/m, /packaging/)
  const harms: [name: string, harm: () => Promise<void>][] = [
    ['gone', () => rm(compiled)],
    ['changed in two bytes', () => harm(compiled)],
  ]
  for (const [name, harmed] of harms) {
    await given.check(`a blob that is ${name} is made again`, async () => {
      await harmed()
      assert.equal(await deploys.deploy('manifest.yml', { recreate: true }), 'done', await deploys.causes('bs1'))
      assert.equal(await deploys.said('bs1', 'g/0', 'cat /var/vcap/packages/a/x'), 'hello')
    })
  }
}

/** A source whose blob is gone or broken is sent again by the next upload, and then compiled. */
export async function lostSourcesAreSentAgain(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const stack = await given.machines.stack()
  const upload = () => uploadRelease(given.path('release'), stack.client(), { version: '1' })
  await upload()
  const source = await blobWith(stack, /packaging/)
  await given.check('a source that is gone is sent again', async () => {
    await rm(source)
    assert.equal((await upload()).sent, 1)
    assert.equal(await deploys.deploy('manifest.yml'), 'done', await deploys.causes('bcsrc'))
  })
}

/** A packaging script does not come to Remodel's home. `HOME_OF_REMODEL` stands for it. */
export async function homeIsHidden(given: FieldCase): Promise<void> {
  const stack = await given.machines.stack()
  const folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
  try {
    await cp(given.folder, folder, { recursive: true })
    await cp(given.path('../cc-compile.yml'), join(folder, 'cloud-config.yml'))
    const packaging = join(folder, 'release/packages/a/packaging')
    const text = (await readFile(packaging, 'utf8')).replaceAll('HOME_OF_REMODEL', stack.home)
    // The script must not fail where it finds nothing.
    await chmod(packaging, 0o600)
    await writeFile(packaging, `${text.replace(/^set -e$/m, 'set +e')}\ntouch "$I/found"\n`)
    const deploys = await FieldDeploys.open(stack.client(), folder)
    assert.equal(await deploys.deploy('victim.yml'), 'done')
    await given.check('nothing of another deployment is found', async () => {
      assert.equal(await deploys.deploy('manifest.yml'), 'done', await deploys.causes('xsecret2'))
      assert.equal(await deploys.said('xsecret2', 'g/0', 'cat /var/vcap/packages/a/found'), '')
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is exported can be uploaded; what could never be is refused where it is compiled. */
export async function exportsCanBeUploaded(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const client = deploys.client
  for (const file of await given.files(/\.yml$/)) {
    const name = file.replace('.yml', '')
    const never = /fifo|dev/.test(name)
    await given.check(never ? `${name} is refused where it is compiled` : `${name} comes back as it went`, async () => {
      const ended = await deploys.deploy(file)
      if (never) {
        assert.equal(ended, 'failed')
        assert.match(await deploys.causes(name), /fifo|device|socket|mknod: .*not permitted/i)
        return
      }
      assert.equal(ended, 'done', await deploys.causes(name))
      const folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
      try {
        const [used] = await client.usedReleases(name)
        const { content } = await client.exportRelease(name, used!.version, 'local/1', [])
        await writeFile(join(folder, 'export.tgz'), content)
        await uploadRelease(join(folder, 'export.tgz'), client)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
  }
}

/** Compile VMs with files that cannot be changed are taken away as others are. */
export async function immutableFilesGo(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const { provider } = await given.machines.stack()
  await given.check('its package is done or refused, and its compile VM goes', async () => {
    await deploys.deploy('manifest.yml')
    const compileVms = async () =>
      (await provider.listVms()).filter(({ ownership }) => /^compile/.test(ownership.purpose))
    await until(async () => (await compileVms()).length === 0, 'compile VMs are still there')
  })
}

/** The one blob in the planner's store whose list of files has this, and not that. */
async function blobWith(stack: TestStack, has: RegExp, lacks = /^\0/): Promise<string> {
  const folder = join(stack.home, 'blobs/sha256')
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  const fits = await Promise.all(
    paths.map(async (path) => {
      const listed = await run('tar', ['tzf', path]).then(
        ({ stdout }) => stdout,
        () => '',
      )
      return has.test(listed) && !lacks.test(listed)
    }),
  )
  const found = paths.filter((_, at) => fits[at])
  assert.ok(found.length > 0, 'there is no such blob')
  return found.at(-1)!
}

async function harm(path: string): Promise<void> {
  const bytes = await readFile(path)
  const at = Math.floor(bytes.length / 2)
  bytes[at]! ^= 0xff
  bytes[at + 1]! ^= 0xff
  await chmod(path, 0o600)
  await writeFile(path, bytes)
}
