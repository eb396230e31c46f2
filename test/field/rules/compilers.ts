import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadRelease } from '../../../cli/upload.ts'
import type { Client } from '../../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../../support/services.ts'
import { FieldDeploys } from '../deploying.ts'
import type { FieldCase } from '../field-case.ts'

/** What compiling must come to where compilers are harmed; each on a Remodel of its own. */

/** Deployments that wait for one release, and how many deaths they see. */
const [waiting, deaths] = [12, 6]

/** A compiler whose wall clock steps forward while it holds a claim costs an attempt at most. */
export async function steppedClockHeals(given: FieldCase): Promise<void> {
  await onStack({ planner: 1, assembler: 1 }, async (stack) => {
    const clock = { NODE_OPTIONS: `--import ${given.path('skew.mjs')}`, SKEW_AFTER: '15000' }
    await stack.start('compiler', clock)
    const deploys = await FieldDeploys.open(stack.client(), given.folder)
    await given.check('the package is compiled by two attempts at most', async () => {
      const view = await deploys.plan('manifest.yml')
      const { deployment } = view.plan
      assert.equal(await deploys.carryOut(view), 'done', await deploys.causes(deployment))
      const events = await stack.client().events(deployment, {})
      const begun = events.filter(({ type, remodel }) => type === 'remodel.started' && /^compile/.test(remodel ?? ''))
      assert.ok(begun.length >= 1 && begun.length <= 2, `it was begun ${begun.length} times`)
    })
  })
}

/** Compilers that are killed fail no deployment that only waits for a package which is compiled for another one. */
export async function killedCompilersFailNoWaiter(given: FieldCase): Promise<void> {
  await onStack({ planner: 1, compiler: 2, assembler: 1 }, async (stack) => {
    const client = stack.client()
    const manifest = JSON.parse(await given.text('manifest-c0.yml')) as { releases: [{ version: string }] }
    await uploadRelease(given.path('release'), client, { version: manifest.releases[0].version })
    await given.check(`${waiting} deployments of one release, ${deaths} deaths of compilers`, async () => {
      const plans = await begin(given, client, manifest)
      for (let death = 0; death < deaths; death++) {
        await sleep(3000)
        const compiler = stack.services.findLast(
          ({ name, process }) => name === 'compiler' && process.exitCode === null,
        )
        await compiler!.kill('SIGKILL')
        await stack.start('compiler')
      }
      const ended = await Promise.all(plans.map(({ plan }) => settled(client, plan.id, 600_000)))
      const failed = plans.filter((_, at) => ended[at] !== 'done').map(({ plan }) => plan.deployment)
      const deploys = await FieldDeploys.open(client, given.folder)
      assert.deepEqual(failed, [], failed[0] && (await deploys.causes(failed[0])))
    })
  })
}

/** Each is drawn when the one before holds its address. */
async function begin(given: FieldCase, client: Client, manifest: object) {
  const begun = []
  for (let n = 0; n < waiting; n++) {
    const content = JSON.stringify({ ...manifest, name: `c${n}` })
    const cloud = { name: 'cc-compile.yml', content: await given.text('../cc-compile.yml') }
    const view = await client.plan({ manifest: { name: `c${n}.yml`, content }, cloudConfigs: [cloud] })
    await client.apply(view.plan.id, {})
    begun.push(view)
  }
  return begun
}

async function onStack(
  counts: Parameters<typeof startServices>[0],
  work: (stack: TestStack) => Promise<void>,
): Promise<void> {
  const stack = await startServices(counts)
  try {
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
    await work(stack)
  } finally {
    await stack.stop()
  }
}
