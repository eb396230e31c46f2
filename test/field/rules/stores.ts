import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Blobstore } from '../../../shared/blobstore/s3/s3.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { freePort } from '../../support/redis.ts'
import type { FieldCase } from '../field-case.ts'

/** What stores of blobs must take, whatever they know of the protocol. */

const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }

/** Each store takes small and large blobs; where it lacks something, the fault names the switch with which it does. */
export async function storesOfManyKinds(given: FieldCase): Promise<void> {
  const modes = /MODE: ([\w, -]+)\./.exec(await given.text('store.py'))![1]!.split(', ')
  Object.assign(process.env, keys)
  for (const mode of modes) {
    await using store = await start(given.path('store.py'), mode)
    const switches = lacks(mode)
    await given.check(`${mode}: ${switches.length > 0 ? 'the fault names the switch' : 'nothing is to be set'}`, () =>
      needs(store.url, switches),
    )
    const url = [store.url, ...switches.map((name) => `${name}=false`)].join('&')
    await given.check(`${mode}: blobs of 300 KB and 20 MB come back as they went`, () => keepsBlobs(url))
    await given.check(`${mode}: the prefix is "a b"`, async () => {
      const paths = store.requests.filter((path) => path.includes('sha256'))
      assert.ok(paths.length > 0, 'there were no requests')
      assert.deepEqual([...new Set(paths.map((path) => path.split('/')[2]))], ['a%20b'])
    })
  }
}

/** `no-multipart` lacks `multipart`. */
function lacks(mode: string): string[] {
  return mode.startsWith('no-') ? [mode.slice('no-'.length)] : []
}

async function needs(url: string, switches: readonly string[]): Promise<void> {
  const error = await keepsBlobs(url).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (switches.length === 0) {
    assert.equal(error, undefined)
    return
  }
  assert.ok(error instanceof RemodelError, error === undefined ? 'it is taken' : String(error))
  assert.equal(error.code, 'unsupported')
  for (const name of switches) assert.match(error.message, new RegExp(`${name}=false in REMODEL_BLOBSTORE`))
}

async function keepsBlobs(url: string): Promise<void> {
  const blobs = await S3Blobstore.open(url)
  try {
    for (const size of [300_000, 20_000_000]) {
      const content = randomBytes(size)
      const { digest } = await blobs.put(content)
      assert.equal(digest, `sha256:${createHash('sha256').update(content).digest('hex')}`)
      assert.ok(content.equals(await blobs.get(digest)), `${size} bytes came back as others`)
    }
  } finally {
    blobs.close()
  }
}

/** The folder's own store; `requests` are the paths that it was asked for. */
async function start(script: string, mode: string) {
  const port = await freePort()
  const child = spawn('python3', [script, String(port), mode], { stdio: ['ignore', 'ignore', 'pipe'] })
  const requests: string[] = []
  child.stderr.on('data', (text) => {
    for (const [, path] of String(text).matchAll(/"[A-Z]+ (\/\S*) HTTP/g)) requests.push(path!)
  })
  const gone = once(child, 'exit')
  const answers = () => fetch(`http://127.0.0.1:${port}/bucket`, { method: 'HEAD' }).then(() => true)
  while (!(await answers().catch(() => false))) {
    assert.equal(child.exitCode, null, 'the store does not start')
    await sleep(50)
  }
  return {
    url: `s3://bucket/a%20b?endpoint=http://127.0.0.1:${port}&region=eu-1`,
    requests,
    async [Symbol.asyncDispose]() {
      child.kill()
      await gone
    },
  }
}
