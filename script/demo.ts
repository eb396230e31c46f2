import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findLost, type LoadResult, startLoad } from '../examples/guestbook/load.ts'
import { findPlanner } from '../shared/api/address.ts'
import { Client } from '../shared/api/client.ts'
import { LocalProvider } from '../shared/provider/local/index.ts'

/** The demo as a user would type it: every step is a `remodel` command, shown before it runs. */

const keep = process.argv.includes('--keep')
const json = process.argv.includes('--json')
const root = new URL('..', import.meta.url).pathname
const balancer = 'http://127.44.1.10:8000'
const started = performance.now()
const home = await mkdtemp(join(tmpdir(), 'remodel-demo-'))
const example = join(home, 'guestbook')
const manifest = join(example, 'manifest.yml')

/** With --json standard output carries the result alone. */
const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`)
const title = (text: string) =>
  say(
    `\n\x1b[1m${text}\x1b[0m`
      .replaceAll('\x1b[1m', process.stdout.isTTY && !json ? '\x1b[1m' : '')
      .replaceAll('\x1b[0m', process.stdout.isTTY && !json ? '\x1b[0m' : ''),
  )

let up = false
try {
  await cp(join(root, 'examples/guestbook'), example, { recursive: true })
  title('Start Redis, a planner, compilers and assemblers')
  await remodel('up', '--detach')
  up = true
  const client = connect()
  await remodel('upload-stemcell', join(example, 'stemcells/1'))
  await remodel('upload-stemcell', join(example, 'stemcells/2'))
  await remodel('update-cloud-config', join(example, 'cloud-config.yml'))

  title('Deploy: compile nine packages, make machines, start two guestbooks and a balancer')
  const first = await deploy()
  await remodel('instances', 'guestbook')

  title('Upgrade under load: a new release and a new stemcell, every guestbook swapped for a new machine')
  const load = startLoad({ url: balancer, connections: 16, kind: 'mixed', pauseMs: 10 })
  await sleep(1000)
  await rewrite(join(example, 'release/src/version-stamp/stamp.c'), '"1"', '"2"')
  await rewrite(manifest, 'version: "1"', 'version: "2"')
  const upgrade = await deploy()
  await sleep(1000)
  const result = await load.stop()
  const lost = await findLost(result.acknowledged, await guestbooks(client))
  for (const error of result.errors) say(`  failed: ${error}`)
  say(
    `  ${result.requests} requests, ${result.failed} failed; ${result.acknowledged.length} entries acknowledged, ${lost.length} lost`,
  )

  title('Deploy once more, unchanged')
  const unchanged = await deploy()

  const facts = await factsOf(client, [first, upgrade, unchanged])
  const instances = (await client.instances('guestbook')).length
  let leakedVms = 0
  if (!keep) {
    title('Take everything away')
    await remodel('delete', 'guestbook', '-y')
    await remodel('down')
    up = false
    leakedVms = (await new LocalProvider({ directory: join(home, 'machines') }).listVms()).length
  }
  finish({ ...facts, instances, leakedVms }, result, lost.length)
  if (keep) {
    say(`\nStill up: the guestbook at ${balancer}, the planner at ${connect().address.url}; Bull Board:`)
    say(`  bin/remodel --home ${home} board`)
    say(`  bin/remodel --home ${home} instances`)
    say(`  bin/remodel --home ${home} delete guestbook -y && bin/remodel --home ${home} down && rm -r ${home}`)
  }
} catch (error) {
  say(`\ndemo failed: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
} finally {
  if (up && !keep) await remodel('down').catch(() => {})
  if (!keep) await rm(home, { recursive: true, force: true })
}

/** Runs one command of the CLI and shows what it prints; throws where it fails. */
async function remodel(...args: string[]): Promise<void> {
  say(`$ remodel ${args.map((arg) => arg.replace(`${example}/`, '')).join(' ')}`)
  const child = spawn(join(root, 'bin/remodel'), ['--home', home, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines = [child.stdout, child.stderr].map((input) => createInterface({ input }))
  for (const reader of lines) reader.on('line', (line) => say(`  ${line}`))
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`remodel ${args[0]} ended with ${code}`)
}

/** Deploys the manifest; answers with the plan's id. */
async function deploy(): Promise<string> {
  await remodel('deploy', manifest, '-y')
  const [newest] = await connect().plans({ deployment: 'guestbook', limit: 1 })
  return newest!.id
}

function connect(): Client {
  return new Client(findPlanner(undefined, home))
}

async function rewrite(file: string, from: string, to: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).replace(from, to))
}

/** Where each guestbook answers by itself. */
async function guestbooks(client: Client): Promise<Record<string, string>> {
  const instances = (await client.instances('guestbook')).filter((one) => one.instance.startsWith('guestbook/'))
  return Object.fromEntries(instances.map((one) => [one.instance, `http://${one.addresses[0]}:8080`]))
}

/** Read off the ledger's events and plans, not off what was printed. */
async function factsOf(client: Client, plans: readonly string[]) {
  const [, upgrade, unchanged] = await Promise.all(plans.map((id) => client.planView(id)))
  const events = await client.events('guestbook', { after: 0 })
  const compiles = events.filter(
    (event) => event.type === 'remodel.done' && event.facts?.key !== undefined && event.facts.cached === false,
  )
  const swapped = upgrade!.plan.remodels.filter(
    (remodel) => remodel.step === 'create-vm' && remodel.action === 'replace',
  )
  return {
    compiled: compiles.length,
    compileVms: new Set(compiles.map((event) => event.facts?.vm)).size,
    hotSwapped: swapped.length,
    unchangedRemodels: unchanged!.plan.remodels.length,
  }
}

function finish(
  facts: {
    compiled: number
    compileVms: number
    instances: number
    hotSwapped: number
    unchangedRemodels: number
    leakedVms: number
  },
  load: LoadResult,
  lost: number,
): void {
  const ok =
    load.failed === 0 &&
    load.requests >= 1000 &&
    lost === 0 &&
    facts.compiled >= 5 &&
    facts.hotSwapped > 0 &&
    facts.unchangedRemodels === 0 &&
    facts.leakedVms === 0
  const seconds = Math.round((performance.now() - started) / 100) / 10
  const summary = { ok, ...facts, requests: load.requests, failedRequests: load.failed, lostEntries: lost, seconds }
  title(ok ? 'Done.' : 'Done, but not as it should be:')
  say(
    `  ${facts.compiled} packages compiled on ${facts.compileVms} machines; ${facts.instances} instances, ${facts.hotSwapped} of them swapped under load`,
  )
  say(
    `  ${load.requests} requests, ${load.failed} failed, ${lost} acknowledged entries lost (p99 ${Math.round(load.latency.p99)} ms, longest ${Math.round(load.latency.max)} ms)`,
  )
  say(
    `  ${facts.unchangedRemodels} remodels for the unchanged deploy; ${facts.leakedVms} machines left behind; ${seconds} s`,
  )
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (!ok) process.exitCode = 1
}
