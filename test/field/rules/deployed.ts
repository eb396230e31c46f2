import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { enqueueDeploy } from '../../../shared/api/enqueue.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { FieldDeploys } from '../deploying.ts'
import type { FieldCase } from '../field-case.ts'

/** What deploys of a folder's manifests must come to, on real machines. */

/** A hook is over when its own process is, though a child of it keeps its output open. */
export async function hooksEnd(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  for (const file of await given.files(/^(?!cloud).*\.yml$/)) {
    const { name } = parse(await given.text(file)) as { name: string }
    await given.check(`${file} is deployed, deployed anew and removed`, async () => {
      assert.equal(await deploys.deploy(file), 'done', await deploys.causes(name))
      assert.equal(await deploys.deploy(file, { recreate: true }), 'done', await deploys.causes(name))
      assert.equal(await deploys.remove(name), 'done', await deploys.causes(name))
    })
  }
}

/** Deployments that are deployed at once have an address each; one may be refused, and is planned again. */
export async function addressesOfTheirOwn(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const files = await given.files(/^beside-.*\.yml$/)
  await given.check(`${files.length} deploys at once`, async () => {
    const refusals = ['conflict', 'locked', 'floorplan-moved', 'claimed']
    await Promise.all(
      files.map(async (file) => {
        for (let tries = 0; ; tries++) {
          try {
            return assert.equal(await deploys.deploy(file), 'done')
          } catch (error) {
            if (!(error instanceof RemodelError && refusals.includes(error.code)) || tries > 20) throw error
          }
        }
      }),
    )
    const names = files.map((file) => file.replace('.yml', ''))
    const instances = (await Promise.all(names.map((name) => deploys.client.instances(name)))).flat()
    const addresses = instances.flatMap((one) => one.addresses)
    assert.equal(new Set(addresses).size, files.length, addresses.join(', '))
  })
}

/** The board shows a deploy that was enqueued, without the secrets of its manifest. */
export async function noSecretsOnTheBoard(given: FieldCase): Promise<void> {
  const deploys = await given.deploys()
  const stack = await given.machines.stack()
  await deploys.deploy('manifest.yml')
  const manifest = { name: 'enqueued.yml', content: await given.text('enqueued.yml') }
  const secret = /password: ([^ }]+)/.exec(manifest.content)![1]!
  const cloud = { name: 'cloud-config.yml', content: await given.text('cloud-config.yml') }
  const order = await enqueueDeploy({ redisUrl: stack.redis.url, manifest, cloudConfigs: [cloud] })
  await order.result(120_000)
  await given.check('the deploy is shown, its secret is not', async () => {
    const token = process.env.REMODEL_TOKEN ?? (await readFile(join(stack.home, 'token'), 'utf8')).trim()
    const { url } = deploys.client.address
    const asked = ['completed', 'latest'].map(async (status) => {
      const answer = await fetch(`${url}/board/api/queues?activeQueue=deploys&status=${status}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      assert.equal(answer.status, 200)
      return answer.text()
    })
    const shown = (await Promise.all(asked)).join('\n')
    assert.ok(shown.includes(order.id), 'the deploy is not shown')
    assert.ok(!shown.includes(secret), 'the secret is shown')
  })
}

/** Compilers and assemblers take no memory by the size of a package. */
export async function littleMemory(given: FieldCase): Promise<void> {
  const stack = await given.machines.stack()
  const folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
  try {
    await cp(given.folder, folder, { recursive: true })
    const cloud = await readFile(given.path('../cc-compile.yml'), 'utf8')
    // How long the script takes is up to the machine that the test runs on.
    await writeFile(join(folder, 'cloud-config.yml'), cloud.replace(/time_limit: \d+/, 'time_limit: 3600'))
    const deploys = await FieldDeploys.open(stack.client(), folder)
    await given.check('a package that is larger than any worker', async () => {
      const view = await deploys.plan('manifest.yml')
      const ended = await deploys.carryOut(view, 1_800_000)
      assert.equal(ended, 'done', await deploys.causes(view.plan.deployment))
      const workers = stack.services.filter(({ name }) => name !== 'planner')
      const peaks = await Promise.all(workers.map(({ process }) => peakMiB(process.pid!)))
      assert.ok(Math.max(...peaks) < 600, `workers took ${peaks.join(', ')} MiB`)
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmHWM:\s*(\d+) kB/.exec(status)![1]) / 1024)
}
