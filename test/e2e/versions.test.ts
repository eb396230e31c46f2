import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { settled, startServices, type TestStack } from '../support/services.ts'

/** The planner is newer than the first assembler: it draws steps of a kind that this one has not loaded. */
const newer = { REMODEL_EXTENSIONS: new URL('../../examples/kinds/files.ts', import.meta.url).pathname }
let stack: TestStack
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'remodel-versions-'))
  stack = await startServices({ assembler: 1 })
  await stack.start('planner', newer)
})

afterAll(async () => {
  await stack.stop()
  await rm(directory, { recursive: true, force: true })
})

test('a step that no living worker knows waits, says so, and goes on once one comes that does', async () => {
  const client = stack.client()
  const document = { kind: 'files', name: 'site', directory, files: { a: 'a', b: 'b', c: 'c' } }
  const { plan } = await client.plan({ manifest: { name: 'site.yml', content: JSON.stringify(document) } })
  await client.apply(plan.id, {})
  const first = plan.remodels[0]!.id
  const why = async () => (await client.why(plan.id, first)).waitsFor.join()
  const wanted = 'a worker of queue assemble that knows step write-file of kind files'
  await expect.poll(why, { timeout: 20_000 }).toContain(wanted)
  const told = async () => (await client.planView(plan.id)).remodels.map(({ waitsFor }) => waitsFor ?? '')
  await expect.poll(told, { timeout: 20_000 }).toContain(wanted)
  // The old one stays, and may be handed any of them again.
  await stack.start('assembler', newer)
  expect(await settled(client, plan.id)).toBe('done')
  expect((await readdir(directory)).filter((name) => !name.includes('.fence')).sort()).toEqual(['a', 'b', 'c'])
  const events = await client.events('site', { plan: plan.id })
  expect(events.filter(({ attempt }) => (attempt ?? 1) > 1)).toEqual([])
})
