import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'

/** A package outside of the repository, as its author would have it: Remodel and zod are what npm links. */

const root = new URL('../..', import.meta.url).pathname
let folder: string
let directory: string
let extension: string
let stack: TestStack
let client: Client

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-outside-'))
  directory = join(folder, 'links')
  extension = join(folder, 'package', 'links.ts')
  await mkdir(join(folder, 'package', 'node_modules'), { recursive: true })
  await mkdir(directory)
  await cp(join(root, 'test/kinds/outside/links.ts'), extension)
  await writeFile(join(folder, 'package', 'package.json'), JSON.stringify({ name: 'remodel-links', type: 'module' }))
  await symlink(root, join(folder, 'package', 'node_modules', 'remodel'))
  await symlink(join(root, 'node_modules', 'zod'), join(folder, 'package', 'node_modules', 'zod'))
  stack = await startServices({ planner: 1, assembler: 1 }, { REMODEL_EXTENSIONS: extension })
  client = stack.client()
})

afterAll(async () => {
  await stack?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function carryOut(plan: string): Promise<string> {
  await client.apply(plan, {})
  return settled(client, plan)
}

async function deploy(links: Record<string, string>): Promise<string> {
  const content = JSON.stringify({ kind: 'links', name: 'web', directory, links })
  const { plan } = await client.plan({ manifest: { name: 'web.yml', content } })
  return plan.remodels.length === 0 ? 'nothing to do' : carryOut(plan.id)
}

async function leadsTo(): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort()
  return Object.fromEntries(await Promise.all(names.map(async (one) => [one, await readlink(join(directory, one))])))
}

describe('a kind in a package of its own', () => {
  test('a kind of another package is deployed, changed and found unchanged', async () => {
    expect(await deploy({ current: '/srv/1', next: '/srv/2' })).toBe('done')
    expect(await leadsTo()).toEqual({ current: '/srv/1', next: '/srv/2' })
    expect(await deploy({ current: '/srv/1', next: '/srv/2' })).toBe('nothing to do')
    expect(await deploy({ current: '/srv/2', later: '/srv/3' })).toBe('done')
    expect(await leadsTo()).toEqual({ current: '/srv/2', later: '/srv/3' })
  })

  test('a fault of its document names file, line and nearest name', async () => {
    const content = `kind: links\nname: web\ndirectory: ${directory}\nlink:\n  a: x\n`
    await expect(client.plan({ manifest: { name: 'web.yml', content } })).rejects.toMatchObject({
      code: 'invalid-input',
      faults: expect.arrayContaining([expect.objectContaining({ file: 'web.yml', line: 4, suggestion: 'links' })]),
    })
  })

  test('an action of its own is planned and carried out without a document', async () => {
    await deploy({ current: '/srv/2' })
    await promisify(execFile)('ln', ['-sfn', '/elsewhere', join(directory, 'current')])
    const { plan } = await client.planAction('web', 'relink', { links: ['current'] })
    expect(await carryOut(plan.id)).toBe('done')
    expect(await leadsTo()).toEqual({ current: '/srv/2' })
    await expect(client.planAction('web', 'relink', { links: ['absent'] })).rejects.toMatchObject({ code: 'not-found' })
  })

  test('its deployment is taken away whole', async () => {
    await deploy({ current: '/srv/2' })
    const { plan } = await client.planRemoval('web')
    expect(await carryOut(plan.id)).toBe('done')
    expect(await leadsTo()).toEqual({})
    expect((await client.deployments()).map(({ name }) => name)).toEqual([])
  })

  test('it imports nothing of Remodel but the sdk, and stays small', async () => {
    const text = await readFile(extension, 'utf8')
    const imported = [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from)
    expect(imported.filter((from) => !from?.startsWith('node:'))).toEqual(['remodel/sdk', 'zod'])
    expect(text.split('\n').length).toBeLessThan(151)
  })
})
