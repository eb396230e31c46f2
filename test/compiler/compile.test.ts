import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { create } from 'tar'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { compile } from '../../services/compiler/compile.ts'
import type { Archive } from '../../services/compiler/gather.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { fence, Place } from '../provider/place.ts'

let place: Place
let machine: Connection
let folder: string

beforeAll(async () => {
  place = await Place.make()
  folder = await mkdtemp(join(tmpdir(), 'remodel-source-'))
})
afterAll(async () => {
  await place.leave()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  await place.provider.createVm(place.request('w', { network: 'none', renewable: true }), fence(1))
  machine = await place.provider.connect('w', fence(1))
})
afterEach(async () => {
  machine.close()
  await place.provider.deleteVm('w', null)
})

async function sourceOf(script: string): Promise<Archive> {
  await writeFile(join(folder, 'packaging'), script)
  const bytes = await buffer(create({ cwd: folder, portable: true }, ['packaging']))
  return { gzip: false, open: async () => bytes }
}

async function made(script: string | Archive, signal = new AbortController().signal): Promise<string> {
  const source = typeof script === 'string' ? await sourceOf(script) : script
  const spec = { key: 'key', name: 'p', fingerprint: 'f' } as CompileSpec
  const job = { spec, inputs: { source, dependencies: [] }, store: buffer }
  return gunzipSync((await compile(machine, job, signal)).stored).toString()
}

const ownFault = (message: string) => ({
  code: 'job-failed',
  message: expect.stringContaining(`packaging of p ${message}`),
})

describe('a packaging script', () => {
  test('has ended with all it started before its result is packed', async () => {
    const seen = 'for p in /proc/[0-9]*; do cat $p/comm >> $BOSH_INSTALL_TARGET/running; done 2> /dev/null'
    const script = `(setsid sleep 1000 &)
(setsid sh -c 'while :; do date >> $BOSH_INSTALL_TARGET/log; done' &)
mv /usr/bin/tar /usr/bin/tar.real
printf '%s\\n' '#!/bin/sh' '${seen.replaceAll('$BOSH_INSTALL_TARGET', '/var/vcap/packages/p')}' 'exec /usr/bin/tar.real "$@"' > /usr/bin/tar
chmod 755 /usr/bin/tar`
    const archive = await made(script)
    expect(archive).toContain('remodel-room')
    expect(archive).not.toContain('sleep')
  })

  test.for([
    ['removes its install directory', 'rm -rf /var/vcap/data/packages', 'left nothing that can be packed'],
    ['removes everything of its own', 'rm -rf /var/vcap/*', 'left nothing that can be packed'],
    ['removes the tools', 'rm /usr/bin/tar', 'left nothing that can be packed'],
    ['makes a fifo', 'mkfifo $BOSH_INSTALL_TARGET/pipe', 'made what cannot be stored: ./pipe is refused'],
    [
      'has a tar that makes no archive',
      'printf "#!/bin/sh\\necho none > /var/vcap/data/compiled.tgz\\n" > /usr/bin/tar',
      'made what cannot be stored',
    ],
  ] as const)('that %s has failed by its own fault', async ([, script, message]) => {
    await expect(made(script)).rejects.toMatchObject(ownFault(message))
  })

  test('may link to what its machine has and to other packages', async () => {
    const archive = await made(
      'cd $BOSH_INSTALL_TARGET; ln -s /usr/bin/env env; ln -s ../../b/x other; ln -s loop loop',
    )
    for (const part of ['./env', '/usr/bin/env', '../../b/x', './loop']) expect(archive).toContain(part)
  })

  test('whose source cannot be unpacked has failed by its own fault', async () => {
    const source = { gzip: true, open: async () => Buffer.from('no archive') }
    await expect(made(source)).rejects.toMatchObject(ownFault('cannot begin: its source cannot be unpacked'))
  })

  test('is named where its time is over, also while its result is packed', async () => {
    const stop = new AbortController()
    const script = `printf '#!/bin/sh\\nsleep 1000\\n' > /usr/bin/tar`
    setTimeout(() => stop.abort(new RemodelError('deadline', 'did not end within 2 s')), 2000)
    await expect(made(script, stop.signal)).rejects.toMatchObject({
      code: 'deadline',
      message: 'packaging of p did not end within 2 s',
    })
  })
})

test('a result that comes in many pieces is stored as it is', async () => {
  const archive = await made('head -c 5000000 /dev/urandom > $BOSH_INSTALL_TARGET/big')
  expect(archive.length).toBeGreaterThan(4_000_000)
})
