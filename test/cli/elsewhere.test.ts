import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileEntry, tarGz } from '../release/fixture.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { remodel, temporaryFolder } from './remodel.ts'

let stack: TestStack
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let tarball: Buffer
let url: string
const asked: (string | undefined)[] = []
const server = createServer((request, response) => {
  asked.push(request.url)
  if (request.url === '/release.tgz') response.end(tarball)
  else if (request.url === '/moved') response.writeHead(302, { location: '/release.tgz' }).end()
  else if (request.url === '/page') response.end('<html>not a release</html>')
  else response.writeHead(404).end()
})
const run = (...args: string[]) => remodel(args, { cwd: folder.path, env: { REMODEL_HOME: stack.home } })
const hash = (algorithm: string, bytes: Buffer) => createHash(algorithm).update(bytes).digest('hex')

beforeAll(async () => {
  folder = await temporaryFolder()
  stack = await startServices({ planner: 1 })
  const job = await tarGz(fileEntry('job.MF', 'name: idle\ntemplates: {}\n'), fileEntry('monit', ''))
  const [fingerprint, sha1] = ['fp-idle', hash('sha1', job)]
  const text = `name: far\nversion: "1.10"\njobs:\n- {name: idle, version: ${fingerprint}, fingerprint: ${fingerprint}, sha1: ${sha1}}\npackages: []\n`
  tarball = await tarGz(fileEntry('./release.MF', text), fileEntry('./jobs/idle.tgz', job))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}, 60_000)
afterAll(async () => {
  server.close()
  await stack.stop()
  await folder[Symbol.asyncDispose]()
})

function manifest(name: string, more: string): string {
  const file = folder.in(`${name}.yml`)
  writeFileSync(file, `name: ${name}\nreleases:\n- name: far\n  version: "1.10"\n${more}instance_groups: []\n`)
  return file
}

describe('a release that is elsewhere', { timeout: 60_000 }, () => {
  test('is refused in words where its address gives none, and the address is named', async () => {
    const answers = [
      [`${url}/nothing`, 'the answer there is 404'],
      [`${url}/page`, `${url}/page: is not a whole tar archive`],
      ['http://nowhere.invalid/x.tgz', /cannot be used: (no computer of that name|names of computers)/],
      ['ftp://127.0.0.1/x.tgz', 'only http, https and file can be followed'],
      ['file://elsewhere/x.tgz', 'a file URL has no host'],
    ] as const
    for (const [place, said] of answers) {
      for (const verb of ['upload-release', 'upload-stemcell']) {
        const ran = await run(verb, place)
        expect([ran.code, ran.stdout], `${verb} ${place}: ${ran.stderr}`).toEqual([2, ''])
        if (verb === 'upload-release') expect(ran.stderr).toMatch(said)
        expect(ran.stderr).not.toMatch(/fetch failed|undici|ENOTFOUND|EAI_AGAIN|remodel-download/)
      }
    }
    expect(JSON.parse((await run('releases', '--json')).stdout)).toEqual([])
  })

  test('is not taken for another one: neither by its digest nor by its name', async () => {
    const wrong = await run('plan', manifest('a', `  url: ${url}/release.tgz\n  sha1: ${'0'.repeat(40)}\n`))
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('a.yml:5: releases[0].url: ')])
    expect(wrong.stderr).toContain(`has the digest ${hash('sha1', tarball)}, not ${'0'.repeat(40)}`)
    const file = manifest('b', `  url: ${url}/release.tgz\n`)
    writeFileSync(file, `name: b\nreleases:\n- name: near\n  version: "1.10"\n  url: ${url}/release.tgz\n`)
    const other = await run('plan', file)
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('b.yml:3: releases[0].name: the file there is the release far, not near'),
    ])
    expect(JSON.parse((await run('releases', '--json')).stdout)).toEqual([])
  })

  test('is fetched for a manifest that names its address and digest, and once only', async () => {
    const digest = `sha256:${hash('sha256', tarball)}`
    const file = manifest('c', `  url: ${url}/moved\n  sha1: ${digest}\n`)
    for (let times = 1; times <= 2; times++) expect((await run('plan', file)).stderr).not.toContain('releases[0]')
    expect(asked.filter((path) => path === '/moved')).toHaveLength(1)
    expect(JSON.parse((await run('releases', '--json')).stdout)).toMatchObject([{ name: 'far', version: '1.10' }])
    expect(await run('upload-release', `${url}/release.tgz`)).toMatchObject({ code: 0 })
  })
})
