import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inject, LocalProvider, readEffects } from '../../shared/provider/local/index.ts'
import { fence, Place, processes } from './place.ts'

let place: Place
beforeEach(async () => {
  place = await Place.make()
})
afterEach(() => place.leave())

describe('an injected fault', () => {
  it('fails as many calls as it says, changes nothing, and is used up by any caller', async () => {
    await inject(place.directory, 'create_vm', { fail: 2 })
    const other = new LocalProvider({ directory: place.directory })
    const tries = [place.provider, other, place.provider].map((provider) =>
      provider.createVm(place.request('w'), fence(1)),
    )
    const states = (await Promise.allSettled(tries)).map((one) => one.status).sort()
    expect(states).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(await readEffects(place.directory)).toHaveLength(1)
  })

  it('loses the answer of a call that was carried out, so that the repeated call finds it done', async () => {
    await inject(place.directory, 'create_vm', { lose: 1 }, 'w')
    await place.provider.createVm(place.request('other'), fence(1))
    await expect(place.provider.createVm(place.request('w'), fence(1))).rejects.toMatchObject({
      code: 'infrastructure',
    })
    expect(await place.provider.createVm(place.request('w'), fence(1))).toMatchObject({ state: 'running' })
    expect(await readEffects(place.directory)).toHaveLength(2)
  })

  it('slows a call down until it is taken away', async () => {
    await inject(place.directory, 'delete_vm', { delayMs: 200 })
    const time = async () => {
      const start = performance.now()
      await place.provider.deleteVm('none', null)
      return performance.now() - start
    }
    expect(await time()).toBeGreaterThan(195)
    // Longer than any test may take.
    await inject(place.directory, 'delete_vm', { delayMs: 600_000 })
    await inject(place.directory, 'delete_vm', { delayMs: 0 })
    await time()
  })
})

describe('a stemcell', () => {
  it('of an image is unpacked once, from a directory, a tar or a tar.gz, and is the root of its VMs', async () => {
    const image = mkdtempSync(join(tmpdir(), 'remodel-image-'))
    try {
      for (const folder of ['bin', 'etc', 'proc', 'dev', 'tmp', 'var'])
        mkdirSync(join(image, 'root', folder), { recursive: true })
      const shell = join(place.directory, 'sh.c')
      execFileSync('sh', [
        '-c',
        `printf '#include <stdio.h>\\nint main(){puts("from the image");}' > ${shell} && cc -static -o ${image}/root/bin/hello ${shell}`,
      ])
      execFileSync('tar', ['-cf', join(image, 'a.tar'), '-C', join(image, 'root'), '.'])
      execFileSync('tar', ['-czf', join(image, 'a.tgz'), '-C', join(image, 'root'), '.'])
      for (const [version, source] of [
        ['1', 'root'],
        ['2', 'a.tar'],
        ['3', 'a.tgz'],
      ] as const) {
        const imports = [1, 2].map(() =>
          place.provider.importStemcell({ name: 'tiny', version, image: join(image, source) }),
        )
        const [stemcell, same] = await Promise.all(imports)
        expect(same).toBe(stemcell)
        await place.provider.createVm(place.request(`w${version}`, { stemcell: stemcell! }), fence(1))
        const machine = await place.provider.connect(`w${version}`, null)
        expect(await machine.exec(['hello'])).toMatchObject({ stdout: 'from the image\n', exitCode: 0 })
        await machine.write('/var/vcap/data/x', 'y')
        expect(String(await machine.read('/etc/hostname'))).toBe(`w${version}\n`)
        machine.close()
      }
      const names = ['light-host-1', 'root-tiny-1', 'root-tiny-2', 'root-tiny-3']
      expect(readdirSync(join(place.directory, 'stemcells')).sort()).toEqual(
        names.map((name) => expect.stringMatching(new RegExp(`^${name}-[0-9a-f]{16}$`))),
      )
      await expect(place.provider.importStemcell({ name: 'x', version: '1', image: '/none' })).rejects.toMatchObject({
        code: 'not-found',
      })
    } finally {
      rmSync(image, { recursive: true })
    }
  })
})

describe('two stemcells', () => {
  it('never share a root, whatever their names, versions and images are', async () => {
    const image = mkdtempSync(join(tmpdir(), 'remodel-image-'))
    try {
      const of = (name: string, version: string, digest?: string) => ({
        name,
        version,
        image,
        ...(digest && { digest }),
      })
      const stemcells = [
        of('a-1', '2'),
        of('a', '1-2'),
        of('a', '1+2'),
        of('a', '1_2'),
        of('a', '1'),
        of('a', '1', 'sha256:one'),
        of('a', '1', 'sha256:two'),
        of('a', 'x'.repeat(128)),
        of('a', `${'x'.repeat(127)}y`),
        { name: 'a', version: '1' },
      ]
      const ids: string[] = []
      for (const stemcell of stemcells) ids.push(await place.provider.importStemcell(stemcell))
      expect(new Set(ids).size).toBe(stemcells.length)
    } finally {
      rmSync(image, { recursive: true })
    }
  })
})

describe('an ordinary user', () => {
  it.runIf(process.getuid?.() === 0)('makes, uses and deletes VMs in a user namespace, as root inside', () => {
    const directory = mkdtempSync(join(tmpdir(), 'remodel-user-'))
    const script = fileURLToPath(new URL('./create-once.ts', import.meta.url))
    const uid = 54_321
    const as = (env: Record<string, string>) =>
      execFileSync(
        'setpriv',
        [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath, script, directory, 'w', '1'],
        {
          env: { PATH: process.env.PATH, HOME: directory, ...env },
        },
      ).toString()
    const own = () => processes().filter((pid) => existsSync(`/proc/${pid}/cwd`) && ownerOf(pid) === uid)
    try {
      chownSync(directory, uid, uid)
      chmodSync(directory, 0o755)
      const made = JSON.parse(as({}))
      expect(made).toMatchObject({ vm: { id: 'w', state: 'running' }, stdout: 'hello\n0\n/usr/bin\n', stderr: '' })
      expect(own()).toHaveLength(1)
      as({ DELETE: '1' })
      expect(own()).toEqual([])
      expect(readdirSync(join(directory, 'vms'))).toEqual([])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('check', () => {
  it('passes where VMs can be made, and leaves nothing', { timeout: 20_000 }, async () => {
    await place.provider.check()
    await place.expectNothingLeft()
  })
})

function ownerOf(pid: number): number | undefined {
  try {
    return Number(
      /^Uid:\t(\d+)/m.exec(
        execFileSync('cat', [`/proc/${pid}/status`], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
      )?.[1],
    )
  } catch {
    return undefined
  }
}
