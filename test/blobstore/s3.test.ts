import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { readS3Location } from '../../shared/blobstore/s3/location.ts'
import { S3Blobstore, type S3Options } from '../../shared/blobstore/s3/s3.ts'
import { freePort } from '../support/redis.ts'
import { startServices } from '../support/services.ts'
import { deploySmall, removeSmall, uploadSmall } from '../support/small.ts'
import { type S3Server, startS3 } from './s3-server.ts'

const MiB = 2 ** 20
const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const keyOf = (digest: string) => `sha256/${digest.slice(7, 9)}/${digest.slice(9)}`
let server: S3Server

beforeAll(async () => {
  server = await startS3(['blobs', 'deploy'])
  for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await server.stop()
})

let made = 0
/** A store below a prefix of its own. */
async function store(options: S3Options = {}): Promise<S3Blobstore> {
  const opened = await S3Blobstore.open(server.url('blobs', `/test-${++made}`), options)
  onTestFinished(() => opened.close())
  return opened
}

async function listed(blobs: S3Blobstore) {
  const found = []
  for await (const blob of blobs.list()) found.push(blob)
  return found
}

function raw(): S3Client {
  const { endpoint, region } = readS3Location(server.url('blobs'))
  const client = new S3Client({
    endpoint: endpoint!,
    region,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  onTestFinished(() => client.destroy())
  return client
}

it('gives back the very bytes that were put, as bytes or as a stream, and lists them', async () => {
  const blobs = await store()
  const contents = [Buffer.alloc(0), Buffer.from('a'), randomBytes(100_000)]
  for (const content of contents) {
    const put = await blobs.put(Readable.from([content.subarray(0, 10), content.subarray(10)]))
    expect(put).toEqual({ digest: sha256(content), size: content.length })
    expect(await blobs.get(put.digest)).toEqual(content)
    expect(await buffer(await blobs.stream(put.digest))).toEqual(content)
    expect(await blobs.describe(put.digest)).toMatchObject({ size: content.length })
  }
  const all = await listed(blobs)
  expect(all.map(({ digest, size }) => [digest, size]).sort()).toEqual(
    contents.map((content) => [sha256(content), content.length]).sort(),
  )
  for (const { changedAt } of all) expect(Math.abs(Date.now() - changedAt)).toBeLessThan(10_000)
  const [first] = all
  await blobs.delete(first!.digest)
  expect(await blobs.has(first!.digest)).toBe(false)
  await expect(blobs.get(first!.digest)).rejects.toMatchObject({ code: 'not-found' })
  await expect(blobs.stream('sha256:abc')).rejects.toMatchObject({ code: 'invalid-input' })
})

it('stores what is there already no second time, and refuses other bytes than expected', async () => {
  const blobs = await store()
  const content = randomBytes(1000)
  await blobs.put(content)
  const before = server.requests.filter((line) => line.startsWith('PUT')).length
  await Promise.all([blobs.put(content), blobs.put(Readable.from([content]), sha256(content))])
  expect(server.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(before)
  await expect(blobs.put(Buffer.from('other'), sha256(content))).rejects.toMatchObject({ code: 'conflict' })
  expect(await blobs.has(sha256(Buffer.from('other')))).toBe(false)
})

it('sends a large blob in parts, and nothing of one whose source breaks off', async () => {
  const blobs = await store({ partBytes: 5 * MiB })
  const content = randomBytes(13 * MiB)
  const { digest } = await blobs.put(Readable.from([content]))
  expect(server.requests.filter((line) => /^PUT .*partNumber=/.test(line))).toHaveLength(3)
  expect(sha256(await blobs.get(digest))).toBe(digest)
  const breaking = async function* () {
    yield randomBytes(6 * MiB)
    throw new Error('the source broke')
  }
  await expect(blobs.put(Readable.from(breaking()))).rejects.toThrow('the source broke')
  expect(await listed(blobs)).toHaveLength(1)
})

it('goes on with a download where the connection broke, and gives up only where nothing comes any more', async () => {
  const blobs = await store({ partBytes: 5 * MiB })
  const content = randomBytes(12 * MiB)
  const { digest } = await blobs.put(content)
  const before = server.requests.length
  server.breakAfter.push(3 * MiB, 4 * MiB, 2 * MiB)
  expect(sha256(await blobs.get(digest))).toBe(digest)
  expect(server.breakAfter).toEqual([])
  expect(server.requests.slice(before).filter((line) => line.startsWith('GET'))).toHaveLength(4)
  server.breakAll = 100
  const given = await blobs.get(digest).then(sha256, (error) => error.code)
  server.breakAll = 0
  expect(given).toBe('infrastructure')
  expect(sha256(await blobs.get(digest))).toBe(digest)
})

it('tells broken bytes at the end of the read, moves them aside, and the next put heals them', async () => {
  const blobs = await store()
  const content = Buffer.from('precious')
  const { digest } = await blobs.put(content)
  const Key = `${blobs.location.prefix}/${keyOf(digest)}`
  await raw().send(new PutObjectCommand({ Bucket: 'blobs', Key, Body: Buffer.from('PRECIOUS') }))
  await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'infrastructure' })
  expect(await blobs.has(digest)).toBe(false)
  const aside = `${blobs.location.prefix}/quarantine/${digest.slice(7)}`
  const kept = await raw().send(new GetObjectCommand({ Bucket: 'blobs', Key: aside }))
  expect(await kept.Body?.transformToString()).toBe('PRECIOUS')
  await blobs.put(content)
  expect(await blobs.get(digest)).toEqual(content)
})

it('sweeps a blob that was not kept, and spares one that was', async () => {
  const blobs = await store({ oldMs: 0, sweepMs: 400 })
  const content = Buffer.from('kept')
  const { digest } = await blobs.put(content)
  const { changedAt } = (await blobs.describe(digest))!
  expect(await blobs.deleteUnchanged(digest, changedAt - 1)).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect(await blobs.keep(digest)).toBe(true)
  expect((await blobs.describe(digest))!.changedAt).toBeGreaterThan(changedAt)
  expect(await blobs.deleteUnchanged(digest, changedAt)).toBe(false)
  // A blob that is put or kept while it is swept is there afterwards, or the caller learns that it is not.
  for (let round = 0; round < 8; round++) {
    const [kept] = await Promise.all([
      blobs.keep(digest),
      round % 2 === 0 ? blobs.put(content) : undefined,
      blobs.deleteUnchanged(digest, Date.now() + 10_000),
    ])
    if (kept || round % 2 === 0) expect(await blobs.has(digest)).toBe(true)
    await blobs.put(content)
  }
  // A store that answers too slowly is left alone, and asked again.
  const isGone = async () =>
    (await blobs.deleteUnchanged(digest, Date.now() + 10_000)) || (await blobs.describe(digest)) === null
  await expect.poll(isGone, { timeout: 60_000 }).toBe(true)
  expect([await blobs.keep(digest), await blobs.describe(digest)]).toEqual([false, null])
})

it('says what is wrong: no bucket, wrong keys, no service there, a URL that is none', async () => {
  await expect(S3Blobstore.open(server.url('nowhere'))).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('there is no bucket nowhere'),
  })
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'stranger')
  await expect(S3Blobstore.open(server.url('blobs'))).rejects.toMatchObject({ code: 'unsupported' })
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'S3RVER')
  const silent = `s3://blobs?endpoint=http://127.0.0.1:${await freePort()}&region=eu-test-1`
  await expect(S3Blobstore.open(silent)).rejects.toMatchObject({ code: 'infrastructure' })
  for (const url of [
    'http://bucket',
    's3://',
    's3://key:secret@bucket',
    's3://b?colour=red',
    's3://b?endpoint=ftp://x',
    's3://b?multipart=no',
    's3://b/100%',
  ]) {
    expect(() => readS3Location(url)).toThrow(/REMODEL_BLOBSTORE/)
  }
  expect(readS3Location('s3://bucket/a/b%20c/?region=x&checksum=false')).toEqual({
    bucket: 'bucket',
    prefix: 'a/b c',
    region: 'x',
    pathStyle: false,
    multipart: true,
    checksum: false,
  })
})

it('goes on where a service that knows no ranges sends everything again', async () => {
  const content = randomBytes(200_000)
  let asked = 0
  const careless = createServer((request, response) => {
    if (request.method === 'HEAD') return void response.end()
    response.writeHead(200, { 'content-length': content.length })
    if (++asked > 2) return void response.end(content)
    response.write(content.subarray(0, 50_000 * asked), () => response.destroy())
  })
  careless.listen(0, '127.0.0.1')
  await once(careless, 'listening')
  onTestFinished(() => void careless.close())
  const { port } = careless.address() as AddressInfo
  const blobs = await S3Blobstore.open(`s3://blobs?endpoint=http://127.0.0.1:${port}&region=eu-test-1`)
  onTestFinished(() => blobs.close())
  expect(sha256(await blobs.get(sha256(content)))).toBe(sha256(content))
  expect(asked).toBe(3)
})

it('serves a whole Remodel: release in, compiled, deployed, nothing on the disk', async () => {
  const stack = await startServices(undefined, { ...server.env, REMODEL_BLOBSTORE: server.url('deploy', '/one') })
  try {
    await uploadSmall(stack.client())
    const deployed = await deploySmall(stack.client(), { name: 'cloudy', net: 74 })
    expect(deployed.ended).toBe('done')
    expect(await removeSmall(stack.client(), 'cloudy')).toBe('done')
  } finally {
    await stack.stop()
  }
})
