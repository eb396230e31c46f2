import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'

/** A second kind, loaded from outside: the core carries it without knowing it. */

const extension = { REMODEL_EXTENSIONS: new URL('../../examples/kinds/files.ts', import.meta.url).pathname }
let stack: TestStack
let client: Client
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'remodel-files-'))
  stack = await startServices({ planner: 1, assembler: 1 }, extension)
  client = stack.client()
})

afterAll(async () => {
  await stack.stop()
  await rm(directory, { recursive: true, force: true })
})

const manifest = (files: Record<string, string>) => JSON.stringify({ kind: 'files', name: 'site', directory, files })

const plan = (files: Record<string, string>) =>
  client.plan({ manifest: { name: 'site.yml', content: manifest(files) } })

async function deploy(files: Record<string, string>): Promise<string> {
  const { plan: drawn } = await plan(files)
  await client.apply(drawn.id, {})
  return settled(client, drawn.id)
}

const stands = async () =>
  (await readdir(directory, { recursive: true })).filter((name) => !name.includes('.fence')).sort()

const pages = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`page-${i}.html`, `page ${i}`]))

describe('files in a directory', () => {
  test('are planned with reasons, and nothing is written by planning', async () => {
    const { plan: drawn } = await plan(pages)
    expect(drawn.remodels).toHaveLength(12)
    expect(drawn.remodels[0]).toMatchObject({ action: 'create', reasons: [{ code: 'file-is-new' }] })
    expect(await stands()).toEqual([])
  })

  test('are all written though their worker is killed in the middle, none of them twice', async () => {
    await stack.services.find(({ name }) => name === 'assembler')!.kill('SIGTERM')
    const doomed = await stack.start('assembler', { ...extension, REMODEL_FAILPOINTS: 'write-file.written=kill@5' })
    const { plan: drawn } = await plan(pages)
    await client.apply(drawn.id, {})
    await expect.poll(() => doomed.process.signalCode, { timeout: 20_000 }).toBe('SIGKILL')
    await stack.start('assembler', extension)
    expect(await settled(client, drawn.id)).toBe('done')
    expect(await stands()).toEqual(Object.keys(pages).sort())
    const done = (await client.events('site'))
      .filter(({ type }) => type === 'remodel.done')
      .map(({ remodel }) => remodel)
    expect(new Set(done).size).toBe(12)
    expect(done).toHaveLength(12)
  })

  test('deployed again unchanged need nothing; a file that was changed by hand is written again', async () => {
    expect((await plan(pages)).plan.remodels).toEqual([])
    await writeFile(join(directory, 'page-3.html'), 'scribbled over')
    const { plan: repair } = await plan(pages)
    expect(repair.remodels.map(({ material }) => material)).toEqual([`file${directory}/page-3.html`])
    await client.apply(repair.id, {})
    expect(await settled(client, repair.id)).toBe('done')
    expect(await readFile(join(directory, 'page-3.html'), 'utf8')).toBe('page 3')
  })

  test('change, come and go with the document', async () => {
    expect(await deploy({ 'page-0.html': 'changed', 'new.html': 'new' })).toBe('done')
    expect(await stands()).toEqual(['new.html', 'page-0.html'])
    expect(await readFile(join(directory, 'page-0.html'), 'utf8')).toBe('changed')
  })

  test('a fault names file, line and nearest name, and changes nothing', async () => {
    const content = `kind: files\nname: site\ndirectory: ${directory}\nfile:\n  a.html: x\n`
    await expect(client.plan({ manifest: { name: 'site.yml', content } })).rejects.toMatchObject({
      code: 'invalid-input',
      faults: expect.arrayContaining([expect.objectContaining({ file: 'site.yml', line: 4, suggestion: 'files' })]),
    })
  })

  test('are taken away whole', async () => {
    const { plan: removal } = await client.planRemoval('site')
    await client.apply(removal.id, {})
    expect(await settled(client, removal.id)).toBe('done')
    expect(await stands()).toEqual([])
    expect((await client.deployments()).map(({ name }) => name)).toEqual([])
  })
})
