import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fence, Place } from './place.ts'

let place: Place
let source: string
beforeEach(async () => {
  place = await Place.make()
  // Below /tmp, which every VM has for itself, and closed to all other users.
  source = mkdtempSync(join(tmpdir(), 'remodel-mounted-'))
  mkdirSync(join(source, 'bin'))
  writeFileSync(join(source, 'bin', 'hello'), '#!/bin/sh\necho hello from below\n', { mode: 0o755 })
})
afterEach(async () => {
  await place.leave()
  rmSync(source, { recursive: true })
})

const target = '/var/vcap/packages/tools'

describe('a directory of this machine that a VM is given', () => {
  it('is seen at its place by every user, wherever it lies, and can be changed by none', async () => {
    await place.provider.createVm(place.request('w', { mounts: [{ source: join(source, 'bin'), target }] }), fence(1))
    const machine = await place.provider.connect('w', fence(1))
    const run = (script: string) => machine.exec(['/bin/sh', '-c', script])
    expect(await run(`${target}/hello`)).toMatchObject({ exitCode: 0, stdout: 'hello from below\n' })
    const changes = [
      `echo x > ${target}/hello`,
      `rm ${target}/hello`,
      `touch ${target}/new`,
      `chmod 600 ${target}/hello`,
    ]
    for (const change of changes) {
      const { exitCode, stderr } = await run(change)
      expect([exitCode === 0, stderr]).toEqual([false, expect.stringContaining('Read-only file system')])
    }
    machine.close()
    await place.provider.deleteVm('w', fence(2))
    expect(readdirSync(join(source, 'bin')), 'deleting the VM leaves it alone').toEqual(['hello'])
  })

  it('is refused anywhere but below /var/vcap, and a source that is not there leaves nothing behind', async () => {
    for (const wrong of ['/etc', '/var/vcap/../../etc', '/var/vcap/a\n/b\t/etc']) {
      const request = place.request('w', { mounts: [{ source, target: wrong }] })
      await expect(place.provider.createVm(request, fence(1))).rejects.toMatchObject({ code: 'invalid-input' })
    }
    const nowhere = place.request('w', { mounts: [{ source: join(source, 'nowhere'), target }] })
    await expect(place.provider.createVm(nowhere, fence(1))).rejects.toMatchObject({ code: 'infrastructure' })
    expect(await place.provider.listVms()).toEqual([])
  })
})
