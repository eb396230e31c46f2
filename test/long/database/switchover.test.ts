import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStyle } from '../../../cli/views/style.ts'
import { findDatabase } from '../../../kinds/database/cli/databases.ts'
import { databaseLines } from '../../../kinds/database/cli/views/database.ts'
import { Scene } from './scene.ts'

/** Each of these lost acknowledged rows, or left the node without a primary, before the primary was asked. */
let scene: Scene

beforeAll(async () => {
  scene = await Scene.open()
  expect(await scene.deploy()).toEqual({ state: 'done', errors: '' })
}, 240_000)

afterAll(() => scene.close())

describe('a node of three servers that is written to', { timeout: 400_000 }, () => {
  test('is not switched over to a replica that was cut off after the plan was drawn: it is refused, and nothing was changed', async () => {
    const started = () => scene.sql('a', 'SELECT pg_postmaster_start_time()::text')
    const before = await started()
    const plan = await scene.plan({ primary: { n1: 'b' } })
    await scene.inflict('cut off', 'b')
    scene.write()
    await sleep(1500)
    const { state, errors } = await scene.carryOut(plan)
    expect({ state, errors }).toMatchObject({ state: 'failed', errors: expect.stringContaining('job-failed') })
    expect(await scene.primaries()).toEqual(['a'])
    expect(await started(), 'it was never stopped').toBe(before)
    await scene.expectWhole()
    expect(scene.rows).toBeGreaterThan(20)
  })

  test('has a replica that follows no server repaired before it is switched over to it', async () => {
    scene.write()
    await sleep(500)
    const plan = await scene.plan({ primary: { n1: 'b' } })
    const steps = plan.remodels.map(({ id }) => id)
    expect(steps.indexOf('switch-over node/n1')).toBeGreaterThan(steps.indexOf('set-up-instance instance/n1-b'))
    expect(await scene.carryOut(plan)).toEqual({ state: 'done', errors: '' })
    expect(await scene.primaries()).toEqual(['b'])
    await scene.expectWhole()
    expect((await scene.plan({ primary: { n1: 'b' } })).remodels.map(({ id }) => id)).toEqual([])
  })

  test('whose heir is cut off between the check and the stop keeps its primary: the end of the log is missed', async () => {
    await scene.arm('switch-over.checked=stop')
    scene.write()
    const plan = await scene.plan({ primary: { n1: 'c' } })
    const ended = scene.carryOut(plan)
    await expect.poll(() => scene.hasReached('switch-over.checked'), { timeout: 60_000 }).toBe(true)
    await scene.inflict('cut off', 'c')
    await sleep(500)
    scene.goOn()
    const { state, errors } = await ended
    expect({ state, errors }).toMatchObject({ state: 'failed', errors: expect.stringContaining('cannot take over') })
    expect(await scene.primaries()).toEqual(['b'])
    await scene.arm()
    expect(await scene.deploy()).toEqual({ state: 'done', errors: '' })
    await scene.expectWhole()
  })

  test('that is cancelled between stop and promotion has its old primary back, without another deploy', async () => {
    await scene.arm('switch-over.stopped=sleep:4000')
    scene.write()
    await sleep(500)
    const plan = await scene.plan({ primary: { n1: 'a' } })
    const [{ state }] = await Promise.all([scene.carryOut(plan), scene.cancelSoon(plan, 2500)])
    expect(state).toBe('cancelled')
    expect(await scene.primaries()).toEqual(['b'])
    await scene.arm()
    expect(await scene.deploy()).toEqual({ state: 'done', errors: '' })
    await scene.expectWhole()
  })

  test('whose handover was cut off, both servers being replicas then, gets its primary with the next deploy', async () => {
    scene.write()
    await sleep(500)
    for (const letter of 'abc') {
      const connection = await scene.stack.provider.connect(`db-shop-${letter}`, null)
      await connection.stop(30_000)
      connection.close()
      await scene.shell(letter, 'setpriv --reuid=65534 touch /var/vcap/store/postgres/data/standby.signal')
    }
    for (const letter of 'abc') {
      const connection = await scene.stack.provider.connect(`db-shop-${letter}`, null)
      await connection.start()
      connection.close()
    }
    await expect.poll(() => scene.roles(), { timeout: 60_000 }).toEqual({ a: false, b: false, c: false })
    const plan = await scene.plan({})
    expect(plan.remodels[0]?.id).toBe('promote-node node/n1')
    expect(await scene.carryOut(plan)).toEqual({ state: 'done', errors: '' })
    await scene.expectWhole()
  })

  test('loses nothing where only a silent replica has the last rows when the machine of the primary is lost', async () => {
    const [primary] = await scene.primaries()
    const [stale, silent] = [...'abc'].filter((letter) => letter !== primary) as [string, string]
    await scene.inflict('cut off', stale)
    scene.write()
    await sleep(1500)
    await scene.inflict('silent', silent)
    await scene.killMachine(primary!)
    const plan = await scene.plan({})
    expect(plan.remodels[0]?.id).toBe('fail-over node/n1')
    expect(plan.remodels[0]?.title).toContain(`n1-${silent}`)
    expect(await scene.carryOut(plan)).toEqual({ state: 'done', errors: '' })
    expect(await scene.primaries()).toEqual([silent])
    await scene.expectWhole()
  })

  test('keeps what a former primary has more, and says where', async () => {
    const kept = await Promise.all(
      [...'abc'].map((letter) => scene.shell(letter, 'ls -d /var/vcap/store/postgres/kept-* 2>/dev/null')),
    )
    const places = kept.flatMap((text) => text.split('\n').filter(Boolean))
    expect(places.length).toBeGreaterThan(0)
    const { remodels, notes } = await scene.plan({})
    expect(remodels.map(({ id }) => id)).toEqual([])
    for (const place of places) expect(notes.some((note) => note.includes(place))).toBe(true)
    const { nodes } = await findDatabase('shop', scene.client)
    const servers = nodes.flatMap(({ instances }) => instances)
    expect(servers.flatMap(({ database }) => database.kept)).toEqual(places)
    const lines = databaseLines(await findDatabase('shop', scene.client), createStyle(false)).join('\n')
    for (const { instance, vm, database } of servers) {
      for (const place of database.kept) {
        expect(lines).toMatch(
          new RegExp(`^${instance} keeps data .* ${place} on host ${database.host}, machine ${vm}`, 'm'),
        )
      }
    }
  })
})
