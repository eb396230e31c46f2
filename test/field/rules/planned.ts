import assert from 'node:assert/strict'
import { localReleases } from '../../../cli/manifest-releases.ts'
import type { StepInput } from '../../../kinds/deployment/inputs.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { after } from '../case.ts'
import type { FieldCase } from '../field-case.ts'

/** What the plans of a folder's manifests must be, drawn without machines. */

const manifests = /^(?!.*cloud).*\.yml$/
const stemcell = (version: string) => ({ name: 'local', os: 'local', version })

/**
 * A version that YAML takes for a number is the version as it is written, though a version as YAML
 * reads it is there too.
 */
export async function versionsAsWritten(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const releases = [await plans.release('release', '2.1'), await plans.release('release-2.10', '2.10')]
  for (const file of await given.files(/^stemcell-/)) {
    const written = /^stemcell-(.*)\.yml$/.exec(file)![1]!
    const misread = String(Number(written))
    await given.check(`${file} means stemcell version ${written}`, async () => {
      const versions = [...new Set(['1', ...(misread === 'NaN' ? [] : [misread]), written])]
      const plan = await plans.plan(file, { releases, stemcells: versions.map(stemcell) })
      const [vm] = after(plan).materials.filter(({ id }) => id.startsWith('vm/'))
      assert.equal(vm?.attributes.stemcell, `local/${written}`)
    })
    await given.check(`${file} is refused as it is written where only what YAML makes of it is there`, async () => {
      const found = await refusalOf(
        plans.plan(file, { releases, stemcells: ['1', misread].filter((one) => one !== written).map(stemcell) }),
      )
      assert.deepEqual(
        found.map((fault) => fault.found),
        [written],
      )
    })
  }
  for (const file of await given.files(/^release-.*\.yml$/)) {
    await given.check(`${file} means the release's version as it is written`, async () => {
      const plan = await plans.plan(file, { releases, stemcells: [stemcell('1')] })
      const [instance] = after(plan).materials.filter(({ id }) => id.startsWith('instance/'))
      const jobs = releases.find(({ version }) => version === '2.10')!.jobs
      assert.deepEqual(
        instance?.attributes.jobs,
        Object.fromEntries(jobs.map(({ name, fingerprint }) => [name, `digits/${fingerprint}`])),
      )
    })
  }
}

/** A word means the same where a spec has it as a default and where a manifest gives it. */
export async function sameAsDefaults(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const releases = [await plans.release('release')]
  const rendered = async (file: string) => {
    const stood = after(await plans.plan(file, { releases }))
    const files = await Promise.all(releases[0]!.jobs.map(({ name }) => plans.files(stood, 'web/0', name)))
    return files.map((one) => [...one])
  }
  const expected = await rendered('defaults.yml')
  for (const file of (await given.files(manifests)).filter((name) => name !== 'defaults.yml')) {
    await given.check(`${file} renders what defaults.yml does`, async () =>
      assert.deepEqual(await rendered(file), expected),
    )
  }
}

/** `order-*.yml` are no change of each other; any other manifest gives a text where a map is declared. */
export async function mapsOfProperties(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const releases = [await plans.release('release')]
  const [first, ...others] = await given.files(/^order-.*\.yml$/)
  const floorplan = after(await plans.plan(first!, { releases }))
  for (const file of others) {
    await given.check(`${file} is no change`, async () =>
      assert.deepEqual(
        (await plans.plan(file, { releases, floorplan })).remodels.map(({ id }) => id),
        [],
      ),
    )
  }
  for (const file of (await given.files(manifests)).filter((name) => !name.startsWith('order-'))) {
    await given.check(`${file} is refused at its line`, async () => {
      await refusalOf(plans.plan(file, { releases }))
    })
  }
}

/** A monit file that cannot be carried out as it says is a fault of every manifest of the folder. */
export async function refusedAtTheirPlace(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const own = (await given.files(/^cloud-config\.yml$/)).length > 0
  for (const file of await given.files(manifests)) {
    await given.check(`${file} is refused at its line`, async () => {
      const local = localReleases({ name: given.path(file), content: await given.text(file) })
      const releases = await Promise.all(local.map(({ path }) => plans.release(path.slice(given.folder.length + 1))))
      const cloud = own ? 'cloud-config.yml' : '../cc-compile.yml'
      const faults = await refusalOf(plans.plan(file, { releases, cloud }))
      for (const fault of faults) assert.match(fault.message, /monit line \d+|process ".*" of job/)
    })
  }
}

/**
 * Scripts hear what comes when the group becomes smaller, when machines are made anew, and when the deployment goes.
 */
export async function nextStates(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const releases = [await plans.release('release')]
  const stops = (plan: Plan) =>
    plan.remodels
      .filter(({ step }) => step === 'stop-instance')
      .map(({ input }) => {
        const { next } = input as unknown as StepInput<'stop-instance'>
        return `${next.vm}, ${next.instance}, ${next.deployment}`
      })
  const two = after(await plans.plan('two.yml', { releases }))
  const smaller = await plans.plan('one.yml', { releases, floorplan: two })
  const one = after(smaller, two)
  const anew = await plans.plan('one.yml', { releases, floorplan: one }, { recreate: true })
  const gone = await plans.plan('one.yml', { releases, floorplan: after(anew, one) }, { remove: true })
  await given.check('a smaller group', async () => assert.deepEqual(stops(smaller), ['delete, delete, keep']))
  await given.check('machines made anew', async () => assert.deepEqual(stops(anew), ['delete, keep, keep']))
  await given.check('a deployment that goes', async () => assert.deepEqual(stops(gone), ['delete, delete, delete']))
}

/** Of a job without health checks the plan says that its processes being up is all that is known. */
export async function upIsAllThatIsKnown(given: FieldCase): Promise<void> {
  const plans = await given.plans()
  const releases = [await plans.release('release')]
  const jobs = releases.flatMap((release) => release.jobs.map(({ name }) => name))
  for (const file of await given.files(manifests)) {
    await given.check(`${file} says that up is not serving`, async () => {
      const { notes } = await plans.plan(file, { releases })
      for (const job of jobs)
        assert.ok(
          notes.some((note) => note.includes('no health check') && note.includes(job)),
          `the notes are: ${notes.join('; ')}`,
        )
    })
  }
}

/** The faults of a refusal, each at a line. */
async function refusalOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof RemodelError, error === undefined ? 'it is taken' : String(error))
  assert.ok(
    error.faults.length > 0 && error.faults.every(({ line }) => line !== undefined),
    `no place: ${error.message}`,
  )
  return error.faults
}
