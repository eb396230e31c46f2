import { mkdirSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Inventory } from '../../shared/provider/local/inventory.ts'
import { settledStamp } from '../../shared/provider/local/settled-folder.ts'

let folder: string
let inventory: Inventory

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-inventory-'))
  for (const kind of ['vms', 'disks']) await mkdir(join(folder, kind))
  inventory = new Inventory(folder)
})

afterEach(() => rm(folder, { recursive: true }))

const owner = (name: string) => ({ owner: `deployment/${name}` })

/** Records as the agent writes them: the folder first, then the file, beside and renamed. */
async function put(kind: 'vms' | 'disks', id: string, of: string): Promise<void> {
  const path = join(folder, kind, id)
  const [name, record] =
    kind === 'vms'
      ? ['vm.json', { id, stemcell: 's/1', addresses: [], ownership: owner(of), createdAt: 0 }]
      : ['disk.json', { id, sizeMiB: 1, ownership: owner(of) }]
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'beside'), JSON.stringify(record))
  await rename(join(path, 'beside'), join(path, name as string))
}

const idsOf = async (name: string) => ({
  vms: (await inventory.vms(owner(name))).map(({ id }) => id),
  disks: (await inventory.disks(owner(name))).map(({ id }) => id),
})

/** Changes are old enough to be remembered. */
const settled = () =>
  vi.waitFor(() => {
    for (const kind of ['vms', 'disks']) expect(settledStamp(join(folder, kind))).toBeDefined()
  }, 10_000)

describe('machines and disks of a deployment', () => {
  test('are found at once when they are made, gone at once when they are taken away, whatever is remembered', async () => {
    await put('vms', 'other', 'b')
    await put('disks', 'd-other', 'b')
    for (const wait of [async () => {}, settled, settled]) {
      await wait()
      expect(await idsOf('a')).toEqual({ vms: [], disks: [] })
    }
    await put('vms', 'mine', 'a')
    await put('disks', 'd-mine', 'a')
    expect(await idsOf('a')).toEqual({ vms: ['mine'], disks: ['d-mine'] })
    await settled()
    expect(await idsOf('a')).toEqual({ vms: ['mine'], disks: ['d-mine'] })
    await rm(join(folder, 'vms', 'mine'), { recursive: true })
    await rm(join(folder, 'disks', 'd-mine'), { recursive: true })
    expect(await idsOf('a')).toEqual({ vms: [], disks: [] })
  })

  test('that were made anew for another one are its own, though ids and folders have their names', async () => {
    await put('vms', 'same', 'a')
    await put('disks', 'd-same', 'a')
    await settled()
    for (let i = 0; i < 2; i++) expect(await idsOf('b')).toEqual({ vms: [], disks: [] })
    await rm(join(folder, 'vms', 'same'), { recursive: true })
    await rm(join(folder, 'disks', 'd-same'), { recursive: true })
    await put('vms', 'same', 'b')
    await put('disks', 'd-same', 'b')
    await settled()
    expect(await idsOf('b')).toEqual({ vms: ['same'], disks: ['d-same'] })
    expect(await idsOf('a')).toEqual({ vms: [], disks: [] })
  })

  test('whose folder is there before their record are found when that comes', async () => {
    await put('vms', 'other', 'b')
    const late = join(folder, 'vms', 'late')
    await mkdir(late)
    // An empty folder would be taken away: a process that is making a machine makes it again.
    await writeFile(join(late, 'lock'), '')
    await settled()
    for (let i = 0; i < 2; i++) expect((await idsOf('a')).vms).toEqual([])
    const { ctimeMs } = await stat(join(folder, 'vms'))
    await put('vms', 'late', 'a')
    expect((await stat(join(folder, 'vms'))).ctimeMs).toBe(ctimeMs)
    expect((await idsOf('a')).vms).toEqual(['late'])
  })

  test('are as they are now, not as they were when they were listed', async () => {
    await put('disks', 'd', 'a')
    await settled()
    expect(await inventory.disks(owner('a'))).toMatchObject([{ sizeMiB: 1 }])
    const path = join(folder, 'disks', 'd')
    await writeFile(join(path, 'beside'), JSON.stringify({ id: 'd', sizeMiB: 2, ownership: owner('a') }))
    await rename(join(path, 'beside'), join(path, 'disk.json'))
    expect(await inventory.disks(owner('a'))).toMatchObject([{ sizeMiB: 2 }])
  })
})

describe('the disks of a machine', () => {
  test('are found without a look at a record of any other deployment', async () => {
    const attach = async (disk: string, vm: string) => {
      await writeFile(join(folder, 'vms', vm, 'pid'), '1 2 3 4 first')
      await writeFile(join(folder, 'disks', disk, 'attached'), `${vm} first\n`)
    }
    for (const of of ['a', 'b']) {
      await put('vms', `vm-${of}`, of)
      await put('disks', `disk-${of}`, of)
      await attach(`disk-${of}`, `vm-${of}`)
    }
    await settled()
    expect(await inventory.vm('vm-a')).toMatchObject({ disks: ['disk-a'] })
    // Another disk of `a` shows at once; what lies in the folders of `b` is not read.
    await put('disks', 'disk-a-2', 'a')
    await attach('disk-a-2', 'vm-a')
    await settled()
    expect(await inventory.vms(owner('a'))).toMatchObject([{ id: 'vm-a', disks: ['disk-a', 'disk-a-2'] }])
    for (const path of ['vms/vm-b/vm.json', 'disks/disk-b/disk.json', 'disks/disk-b/attached'])
      await writeFile(join(folder, path), 'no record')
    expect(await inventory.vms(owner('a'))).toMatchObject([{ id: 'vm-a', disks: ['disk-a', 'disk-a-2'] }])
    expect(await inventory.disks(owner('a'))).toMatchObject([{ vm: 'vm-a' }, { vm: 'vm-a' }])
    await writeFile(join(folder, 'vms/vm-a/pid'), '1 2 3 4 second')
    expect(await inventory.vm('vm-a')).toMatchObject({ disks: [] })
  })
})

describe('the stamp of a folder', () => {
  test('is another one after each change in it, however soon that comes', async () => {
    const stamps = new Set<string>()
    for (let i = 0; i < 20; i++) {
      await mkdir(join(folder, 'vms', `m${i}`))
      await settled()
      stamps.add(settledStamp(join(folder, 'vms'))!)
    }
    expect(stamps.size).toBe(20)
  })

  test('is unknown right after a change, and as long as the clock of the file system stands before that change', () => {
    const vms = join(folder, 'vms')
    const made = statSync(vms, { bigint: true }).ctimeNs
    let stamps = 0
    // Until that clock has gone on by one tick: two changes within it would look alike.
    for (let known = false; !known; ) {
      mkdirSync(join(vms, `m${stamps++}`))
      const { ctimeNs } = statSync(vms, { bigint: true })
      const stamp = settledStamp(vms)
      const now = statSync(folder, { bigint: true }).ctimeNs
      expect(stamp !== undefined).toBe(now > ctimeNs)
      known = ctimeNs > made && stamp !== undefined
    }
  })

  test('of one that is not there is unknown', () => {
    expect(settledStamp(join(folder, 'nowhere'))).toBeUndefined()
  })
})
