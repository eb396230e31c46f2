import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startRedis } from '../support/redis.ts'
import { blobFaults, effectFaults, ledgerFaults, leftovers } from './oracles.ts'

/** An oracle that cannot see a fault proves nothing: each is shown one. */
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-oracles-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

type Line = [effect: string, id: string, fence?: number]

async function faultsOf(lines: Line[], killed: string[] = []): Promise<string[]> {
  const log = lines.map(([effect, id, fence]) =>
    JSON.stringify({ effect, id, scope: fence === undefined ? null : 'd:thing', fence: fence ?? null }),
  )
  await writeFile(join(folder, 'effects.jsonl'), `${log.join('\n')}\n`)
  return effectFaults(folder, new Set(killed))
}

describe('the oracle of effects', () => {
  test('is content with what is made, taken away and made again', async () => {
    expect(
      await faultsOf([
        ['create_vm', 'a', 1],
        ['delete_vm', 'a', 2],
        ['create_vm', 'a', 3],
      ]),
    ).toEqual([])
  })

  test('sees what is made twice, but for a machine that was killed', async () => {
    const twice: Line[] = [
      ['create_vm', 'a', 1],
      ['create_vm', 'a', 1],
    ]
    expect(await faultsOf(twice)).toEqual(['create_vm a twice'])
    expect(await faultsOf(twice, ['a'])).toEqual([])
    expect(
      await faultsOf([
        ['create_disk', 'a', 1],
        ['create_disk', 'a', 1],
      ]),
    ).toEqual(['create_disk a twice'])
  })

  test('sees an effect of a smaller fence after a larger one', async () => {
    expect(
      await faultsOf([
        ['create_vm', 'a', 2],
        ['delete_vm', 'a', 1],
      ]),
    ).toEqual(['delete_vm a: fence 1 of d:thing after 2'])
  })
})

describe('the oracle of blobs', () => {
  test('sees bytes that are not those of the name', async () => {
    const put = async (name: string, content: string) => {
      await mkdir(join(folder, 'blobs', 'sha256', name.slice(0, 2)), { recursive: true })
      await writeFile(join(folder, 'blobs', 'sha256', name.slice(0, 2), name.slice(2)), content)
    }
    await mkdir(join(folder, 'blobs', 'quarantine'), { recursive: true })
    const name = createHash('sha256').update('good').digest('hex')
    await put(name, 'good')
    expect(await blobFaults(folder)).toEqual([])
    await put(name, 'bad')
    expect(await blobFaults(folder)).toHaveLength(1)
  })
})

describe('the oracle of leftovers', () => {
  test('sees machines and disks that are left', async () => {
    await mkdir(join(folder, 'vms', 'a'), { recursive: true })
    await mkdir(join(folder, 'disks', 'b'), { recursive: true })
    expect(await leftovers(folder)).toEqual(['VM a', 'disk b'])
  })
})

describe('the oracle of the ledger', () => {
  test('sees a gap, a remodel that is done twice, not at all, or before its needs', async () => {
    const redis = await startRedis()
    const settings = { url: redis.url, prefix: 'remodel' }
    const client = connectRedis(settings, 'service')
    try {
      const ledger = new Ledger(client, settings)
      const drawn = planOf('d', [remodel('a'), remodel('b', ['a'])])
      const { id: plan } = await ledger.store(drawn, 1)
      const stream = `${ledger.base('d')}:events`
      const faultsOf = async (events: [type: string, remodel?: string][], from = 1) => {
        await client.del(stream)
        for (const [i, [type, remodel]] of events.entries()) {
          const seq = i + from
          await client.xadd(stream, `${seq}-0`, 'e', JSON.stringify({ seq, at: 1, type, plan, remodel }))
        }
        return (await ledgerFaults(ledger, 'd')).map((fault) => fault.replace(`d ${plan}: `, ''))
      }
      const end: [string] = ['plan.done']
      expect(await faultsOf([['remodel.done', 'a'], ['remodel.done', 'b'], end])).toEqual([])
      expect(await faultsOf([['remodel.done', 'a'], end])).toEqual(['the plan is done, b is not recorded done'])
      expect(await faultsOf([['remodel.done', 'b'], ['remodel.done', 'a'], end])).toEqual([
        'b was done before its needs',
      ])
      expect(await faultsOf([['remodel.done', 'a'], ['remodel.done', 'b'], ['remodel.done', 'b'], end])).toEqual([
        'b is recorded done twice',
      ])
      expect(await faultsOf([end], 3)).toEqual(['d: event 1 is missing, 3 is there'])
    } finally {
      client.disconnect()
      await redis.stop()
    }
  })
})
