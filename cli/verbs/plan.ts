import { writeFile } from 'node:fs/promises'
import type { Compiling } from '../../shared/api/schemas/compiling.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Verdict } from '../../shared/model/verdict.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import type { Context } from '../context.ts'
import { readSource, unwritable } from '../files.ts'
import { addPlanningOptions, type PlanningOptions, planOptions, planRequest, withReleases } from '../inputs.ts'
import { verdictIfUnchanged } from '../unchanged.ts'
import { exit, type Verb } from '../verb.ts'
import { isEmpty } from '../views/plan.ts'

interface Options extends PlanningOptions {
  out?: string
  graph?: boolean
  floorplan?: string
}

const plan: Verb<Options> = {
  configure(command) {
    command.argument('<file...>', 'manifest, then cloud configs; - reads the standard input')
    addPlanningOptions(command)
    command
      .option('--out <file>', 'save the plan for `remodel apply`')
      .option('--graph', 'print the plan as a Mermaid graph')
      .option('--floorplan <file>', 'plan against this floorplan, offline: no planner, no Redis')
      .addHelpText('after', '\nExit codes: 0 nothing to change, 3 changes, 2 bad input, 1 failed.')
  },
  examples: [
    ['plan web.yml', 'what would a deploy change, and why'],
    ['plan web.yml --out web.plan && remodel apply web.plan', 'apply exactly what was reviewed'],
    ['plan web.yml cloud.yml --floorplan floorplan.json --json', 'offline, for machines'],
  ],
  async run(context, files, options) {
    if (options.floorplan !== undefined) {
      const drawn = await drawOffline(files, options.floorplan, options)
      await show(drawn, context, options, { next: ['This plan was drawn offline. To carry it out: remodel deploy'] })
      return isEmpty(drawn) ? exit.done : exit.changes
    }
    const [manifest = '', ...configs] = files
    const request = await planRequest(manifest, {
      ...options,
      cloudConfig: [...configs, ...(options.cloudConfig ?? [])],
    })
    const client = await context.client()
    const { uploadManifestReleases } = await import('../manifest-releases.ts')
    const releases = await uploadManifestReleases(request.manifest, client, context)
    const { plan: drawn, compiling } = await client.plan(withReleases(request, releases))
    if (options.out !== undefined) await save(drawn, options.out, client.address.url)
    const verdict = await verdictIfUnchanged(drawn, context)
    const next = [`To carry out exactly this: remodel apply ${options.out ?? drawn.id}`]
    await show(drawn, context, options, { next, compiling, verdict })
    return isEmpty(drawn) ? exit.done : exit.changes
  },
}

export default plan

async function show(
  drawn: Plan,
  context: Context,
  options: Options,
  {
    next,
    compiling = null,
    verdict = null,
  }: { next: string[]; compiling?: Compiling | null; verdict?: Verdict | null },
): Promise<void> {
  if (options.graph) {
    const { mermaid } = await import('../views/mermaid.ts')
    if (context.json) context.document({ mermaid: mermaid(drawn) })
    else context.raw(mermaid(drawn))
  } else if (context.json) context.document(compiling ? { ...drawn, compiling } : drawn)
  else {
    const [{ planLines }, { deviationLines }, { phrasesOf }] = await Promise.all([
      import('../views/plan-text.ts'),
      import('../views/result.ts'),
      import('../../kinds/phrases.ts'),
    ])
    const { style, verbose } = context
    const lines = planLines(drawn, {
      ...{ style, verbose, compiling, next: isEmpty(drawn) ? [] : next },
      deviates: verdict !== null && verdict.deviations.length > 0,
      say: await phrasesOf(drawn.kind),
    })
    for (const line of [...lines, ...(verdict ? deviationLines(verdict, style) : [])]) context.say(line)
  }
}

/** The plan is in the file for reading; `apply` sends its id, so editing the file cannot slip in another plan. */
async function save(drawn: Plan, file: string, planner: string): Promise<void> {
  const saved = { remodel: 'saved-plan', id: drawn.id, digest: drawn.digest, planner, plan: drawn }
  await writeFile(file, `${JSON.stringify(saved, null, 2)}\n`).catch((error) => {
    throw unwritable(file, error)
  })
}

async function drawOffline(files: readonly string[], floorplan: string, options: Options): Promise<Plan> {
  if (options.out !== undefined) {
    throw new RemodelError(
      'invalid-input',
      '--out needs a planner that stores the plan; with --floorplan save the output of --json',
    )
  }
  const sources = await Promise.all([...files, ...(options.cloudConfig ?? [])].map(readSource))
  const actual = parseFloorplan(await readSource(floorplan))
  const [manifest] = sources
  const [{ planOffline }, { localReleases }] = await Promise.all([
    import('../../services/planner/planning/offline.ts'),
    import('../manifest-releases.ts'),
  ])
  return planOffline({
    files: sources,
    releases: manifest ? localReleases(manifest) : [],
    options: planOptions(options),
    floorplan: actual,
  })
}

function parseFloorplan(source: { name: string; content: string }): unknown {
  try {
    return JSON.parse(source.content)
  } catch (error) {
    throw new RemodelError('invalid-input', `${source.name} is not JSON: ${toError(error).message}`, { cause: error })
  }
}
