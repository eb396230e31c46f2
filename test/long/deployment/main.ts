import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { uploadRelease } from '../../../cli/upload.ts'
import { Random } from '../../sim/random.ts'
import { startServices } from '../../support/services.ts'
import { live } from './history.ts'
import { writeRelease } from './release.ts'

/**
 * `npm run test:deployment-histories [-- --runs N --seed S]`: deployments through rows of documents (AZs, disks,
 * renames, jobs, users, monit files, hooks, machines that die) on real machines. After each deploy every process of
 * every monit file runs as its user, every disk has its file, and the second plan is empty. The seed is printed; ends
 * with 1 where something is otherwise.
 */
const { values } = parseArgs({ options: { runs: { type: 'string', default: '200' }, seed: { type: 'string' } } })
const seed = Number(values.seed ?? randomInt(1_000_000))
const runs = Number(values.runs)
console.log(`seed ${seed}`)
const folder = await mkdtemp(join(tmpdir(), 'remodel-histories-'))
const stack = await startServices()
const sum = { seed, runs, deploys: 0, refused: 0, wrong: 0 }
try {
  await writeRelease(folder)
  await uploadRelease(folder, stack.client())
  await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
  for (let run = 0; run < runs; run++) {
    const { deploys, refused, wrong } = await live(stack, `h${run}`, new Random(seed).fork(`history ${run}`))
    for (const what of wrong) console.log(what)
    sum.deploys += deploys
    sum.refused += refused
    sum.wrong += wrong.length
  }
} finally {
  await stack.stop()
  await rm(folder, { recursive: true, force: true })
}
console.log(JSON.stringify(sum))
process.exitCode = sum.wrong === 0 ? 0 : 1
