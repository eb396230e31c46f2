import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { uploadRelease } from '../../cli/upload.ts'
import { remodel } from '../cli/remodel.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { deploySmall, removeSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let folder: string
const client = () => stack.client()
const verify = (share: string, ...more: string[]) =>
  remodel(['verify', '--rebuild', share, '--planner', client().address.url, ...more])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-verify-'))
  stack = await startServices()
  await uploadSmall(client())
})
afterAll(async () => {
  await stack?.stop()
  await rm(folder, { recursive: true, force: true })
})

it('packages that are compiled again come out the same, to the byte', async () => {
  expect((await verify('5%')).stdout).toContain('0 packages of 0')
  expect((await deploySmall(client(), { name: 'first', net: 81, front: true })).ended).toBe('done')
  const all = await verify('100%', '--json')
  expect(all.code).toBe(0)
  const { packages } = JSON.parse(all.stdout)
  expect(packages.map((one: { package: string }) => one.package).sort()).toEqual([
    'app',
    'base',
    'extra',
    'lib',
    'tool',
  ])
  for (const { state, digest, rebuilt } of packages) expect([state, rebuilt]).toEqual(['same', digest])
  expect(JSON.parse((await verify('5%', '--json')).stdout).packages).toHaveLength(1)
  expect(await removeSmall(client(), 'first')).toBe('done')
})

it('K6: one that does not is an incident that names the first file that differs; what is in use stays', async () => {
  const release = join(folder, 'small')
  await cp(join(import.meta.dirname, '../fixtures/small'), release, { recursive: true })
  const packaging = join(release, 'packages/base/packaging')
  const script = await readFile(packaging, 'utf8')
  await writeFile(
    packaging,
    `${script}\necho steady > $BOSH_INSTALL_TARGET/aaa\ndate +%s%N > $BOSH_INSTALL_TARGET/made-at\n`,
  )
  await uploadRelease(release, client(), { version: 'newer' })
  expect((await deploySmall(client(), { name: 'second', net: 82 })).ended).toBe('done')
  const before = await client().instances('second')
  const ran = await verify('100%')
  expect(ran.code).toBe(1)
  expect(ran.stdout).toContain('base on local/1: made-at has other bytes')
  expect(ran.stdout.match(/✗/g)).toHaveLength(1)
  expect(await client().instances('second')).toMatchObject(before.map(({ vm }) => ({ vm })))
  // The next deploy finds the first artefact in its place: nothing to do.
  expect((await deploySmall(client(), { name: 'second', net: 82 })).plan.remodels).toEqual([])
  expect(await removeSmall(client(), 'second')).toBe('done')
})

it('wrong use is reported', async () => {
  for (const share of ['5', '0%', '101%', 'x%']) {
    const ran = await verify(share)
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('wanted a share like 5%')])
  }
})
