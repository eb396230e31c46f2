import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Instance } from '../../shared/api/schemas/instance.ts'
import type { Healing } from '../../shared/model/healing.ts'
import { type Ran, remodel, temporaryFolder } from './remodel.ts'
import { files, manifest, release, upWithCloud, writeInto } from './site.ts'

/** One stack for all tests of this file, which tell one story in order. */
describe('heal', { timeout: 90_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const run = (...args: string[]): Promise<Ran> =>
    remodel(args, { cwd: folder.path, env: { REMODEL_HOME: folder.in('home') } })

  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeInto(folder, { ...files('127.93.14'), 'web.yml': manifest('one'), ...release('hello') })
    await upWithCloud(run)
    expect(await run('deploy', 'web.yml', '-y')).toMatchObject({ code: 0 })
  }, 90_000)

  afterAll(async () => {
    await run('delete', 'site', '-y', '--wait-lock', '60')
    await run('down')
    await folder[Symbol.asyncDispose]()
  }, 90_000)

  test('says what counts, and whose word that is', async () => {
    expect(await run('heal', 'site')).toMatchObject({ code: 0, stdout: 'site is not mended by itself.\n' })
    const said = await run('heal', 'site', 'apply', '-m', 'from now on')
    expect(said).toMatchObject({ code: 0, stdout: expect.stringMatching(/^site is mended by itself: .*from now on\)/) })
    const timeless = (text: string) => text.replace(/\d+ s ago/, 'then')
    expect(timeless((await run('heal', 'site')).stdout)).toBe(timeless(said.stdout))
  })

  test('refuses a deployment that is not there, and a mode that there is not', async () => {
    expect(await run('heal', 'sita', 'apply')).toMatchObject({ code: 2, stderr: expect.stringContaining('site') })
    expect(await run('heal', 'site', 'often')).toMatchObject({ code: 2, stderr: expect.stringContaining('apply') })
  })

  test('lists what was mended, and a person finds the plan among the tasks', async () => {
    const [one] = JSON.parse((await run('instances', 'site', '--json')).stdout) as Instance[]
    const pid = await readFile(folder.in(`home/machines/vms/${one!.vm}/pid`), 'utf8')
    process.kill(Number(pid.split(' ')[0]), 'SIGKILL')
    const healing = async () => JSON.parse((await run('heal', 'site', '--json')).stdout) as Healing
    await expect.poll(async () => (await healing()).repairs, { timeout: 40_000, interval: 500 }).toHaveLength(1)
    const { plan } = (await healing()).repairs[0]!
    expect((await run('heal', 'site')).stdout).toMatch(new RegExp(`${plan} +instance/${one!.instance}`))
    const task = async () => (await run('task', plan)).stdout
    await expect.poll(task, { timeout: 40_000, interval: 500 }).toMatch(/done/)
    expect(await task()).toContain('caretaker remodel')
    expect((await run('exec', 'site', one!.instance, '--', 'true')).code).toBe(0)
  })
})
