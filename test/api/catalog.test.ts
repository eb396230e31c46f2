import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Release } from '../../shared/release/release.ts'
import { openApi, type TestApi, token } from '../support/api.ts'

let api: TestApi

beforeAll(async () => {
  api = await openApi('catalog')
})
afterAll(() => api[Symbol.asyncDispose]())

async function ask(method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object | Buffer) {
  const type = payload instanceof Buffer ? { 'content-type': 'application/octet-stream' } : {}
  const headers = { authorization: `Bearer ${token}`, ...type }
  const answer = await api.server.inject({ method, url, headers, ...(payload && { payload }) })
  return { status: answer.statusCode, body: method === 'HEAD' ? null : answer.json() }
}

/** A release of a job and its package; a blob of these bytes is the source of either. */
async function releaseOf(name: string, content: string): Promise<Release> {
  const { digest } = await api.blobs.put(Buffer.from(content))
  const packages = [{ name: 'page', fingerprint: `of ${content}`, dependencies: [], digest }]
  const nothing = { templates: {}, properties: {}, provides: [], consumes: [] }
  const jobs = [{ name: 'web', fingerprint: `job of ${content}`, digest, packages: ['page'], ...nothing }]
  return { name, version: '1', packages, jobs }
}

describe('blobs', () => {
  const [digest, other] = ['a', 'b'].map((letter) => `sha256:${letter.repeat(64)}`)

  test('are there once their bytes were put, and putting them again is no fault', async () => {
    const bytes = Buffer.from('hello')
    const own = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    expect((await ask('HEAD', `/v1/blobs/${own}`)).status).toBe(404)
    expect(await ask('PUT', `/v1/blobs/${own}`, bytes)).toMatchObject({ status: 201, body: { digest: own, size: 5 } })
    expect((await ask('PUT', `/v1/blobs/${own}`, bytes)).status).toBe(200)
    expect((await ask('HEAD', `/v1/blobs/${own}`)).status).toBe(200)
  })

  test('of other bytes than their digest says are refused, and are not there', async () => {
    expect((await ask('PUT', `/v1/blobs/${digest}`, Buffer.from('hello'))).status).toBe(409)
    expect((await ask('HEAD', `/v1/blobs/${digest}`)).status).toBe(404)
    expect((await ask('HEAD', `/v1/blobs/${other!.slice(0, 20)}`)).status).toBe(422)
  })
})

describe('stemcells', () => {
  test('are listed once they were added; one of the same version is the same, or refused', async () => {
    const stemcell = { name: 'noble', os: 'ubuntu-noble', version: '1' }
    expect((await ask('POST', '/v1/stemcells', stemcell)).status).toBe(201)
    expect((await ask('POST', '/v1/stemcells', stemcell)).status).toBe(200)
    expect(await ask('POST', '/v1/stemcells', { ...stemcell, os: 'ubuntu-jammy' })).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringContaining('noble/1') },
    })
    expect((await ask('GET', '/v1/stemcells')).body).toContainEqual(stemcell)
  })
})

describe('configs', () => {
  const net = 'networks: [{ name: net, subnets: [{ range: 10.0.0.0/24 }] }]\n'
  const content = `vm_types: [{ name: small }]\n${net}compilation: { workers: 1, network: net, vm_type: small }\n`

  test('are stored, read, listed and deleted by type and name', async () => {
    expect(await ask('PUT', '/v1/configs/cloud/main', { content })).toMatchObject({ status: 200 })
    const stored = { type: 'cloud', name: 'main', content }
    expect((await ask('GET', '/v1/configs/cloud/main')).body).toEqual(stored)
    expect((await ask('GET', '/v1/configs')).body).toEqual([stored])
    expect((await ask('DELETE', '/v1/configs/cloud/main')).body).toEqual(stored)
    expect(await ask('GET', '/v1/configs/cloud/main')).toMatchObject({
      status: 404,
      body: { code: 'not-found', detail: 'there is no cloud config main; none is stored' },
    })
  })

  test('that plans would be refused for are refused with their place, and nothing is stored', async () => {
    const wrong = await ask('PUT', '/v1/configs/cloud/wrong', { content: `vm_typs: []\n${net}` })
    expect(wrong).toMatchObject({
      status: 422,
      body: { faults: [{ file: 'cloud-config wrong', line: 1, path: 'vm_typs', suggestion: 'vm_types' }] },
    })
    expect((await ask('PUT', '/v1/configs/cloud/empty', { content: '' })).status).toBe(422)
    expect((await ask('GET', '/v1/configs')).body).toEqual([])
  })
})

describe('releases', () => {
  test('are taken in once their blobs are there, and are listed with the time', async () => {
    const release = await releaseOf('shop', 'source')
    const digest = `sha256:${'c'.repeat(64)}`
    const without = { ...release, packages: [{ ...release.packages[0]!, digest }] }
    expect(await ask('POST', '/v1/releases', without)).toMatchObject({ status: 404, body: { code: 'not-found' } })
    expect((await ask('GET', '/v1/releases')).body).toEqual([])
    expect((await ask('POST', '/v1/releases', release)).status).toBe(201)
    expect((await ask('POST', '/v1/releases', release)).status).toBe(200)
    const [listed, ...more] = (await ask('GET', '/v1/releases')).body
    expect(more).toEqual([])
    expect(listed).toMatchObject({ name: 'shop', version: '1', uploadedAt: expect.any(Number) })
  })

  test('of the same version with other content are refused, and the first one stays', async () => {
    await ask('POST', '/v1/releases', await releaseOf('stays', 'first'))
    const other = await ask('POST', '/v1/releases', await releaseOf('stays', 'second'))
    expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } })
    const inspected = (await ask('GET', '/v1/releases/stays/1')).body
    expect(inspected.release.packages).toMatchObject([{ fingerprint: 'of first' }])
  })

  test('that are not there are named with those that are', async () => {
    await ask('POST', '/v1/releases', await releaseOf('known', 'known'))
    expect((await ask('GET', '/v1/releases/known/2')).body.detail).toContain('there is known/1')
  })

  test('are handed out compiled for a stemcell only where all their packages are', async () => {
    await ask('POST', '/v1/releases', await releaseOf('raw', 'raw'))
    const url = '/v1/releases/raw/1/export'
    const refused = await ask('GET', `${url}?stemcell=ubuntu-jammy/1.1`)
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('page') } })
    expect((await ask('GET', `${url}?stemcell=jammy`)).status).toBe(422)
  })

  test('of a deployment that is not there are none', async () => {
    expect((await ask('GET', '/v1/deployments/no-such/releases')).body).toEqual([])
  })
})

describe('a check', () => {
  test('takes a share of what is compiled; where nothing is, nothing is compiled again', async () => {
    const asked = await ask('POST', '/v1/checks', { rebuildPercent: 100 })
    expect(asked).toMatchObject({ status: 202, body: { packages: [] } })
    expect((await ask('GET', `/v1/checks/${asked.body.id}`)).body).toEqual(asked.body)
    expect((await ask('POST', '/v1/checks', { rebuildPercent: 0 })).status).toBe(422)
  })
})

describe('a clean-up', () => {
  test('that is dry says what would go and deletes nothing; one that is not leaves what is young', async () => {
    await ask('POST', '/v1/releases', await releaseOf('unused', 'unused'))
    const dry = await ask('POST', '/v1/clean-up', { all: true, dryRun: true })
    expect(dry.status).toBe(200)
    expect(dry.body).toMatchObject({ compiled: 0, blobs: 0 })
    const names = async () => (await ask('GET', '/v1/releases')).body.map(({ name }: { name: string }) => name)
    expect(await names()).toContain('unused')
    expect((await ask('POST', '/v1/clean-up', { all: true })).body).toMatchObject({ releases: [], blobs: 0 })
    expect(await names()).toContain('unused')
    expect((await ask('POST', '/v1/clean-up', { everything: true })).status).toBe(422)
  })
})
