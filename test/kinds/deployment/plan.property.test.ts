import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical } from '../../../shared/model/canonical.ts'
import { emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { execute } from './execution.ts'
import { plan } from './planning.ts'
import { given, manifests } from './random-manifests.ts'

const runs = Number(process.env.REMODEL_PROPERTY_RUNS ?? 150)

/** Picks from a list of random numbers over and over, so that a failing order can be replayed and shrunk. */
function chooser(numbers: readonly number[]): (count: number) => number {
  let next = 0
  return (count) => (numbers[next++ % numbers.length] ?? 0) % Math.max(1, count)
}

const orders = fc.array(fc.nat(10_007), { minLength: 7, maxLength: 31 })
const histories = fc.record({ history: fc.array(manifests, { minLength: 1, maxLength: 3 }), order: orders })

/** A plan, or null where the deployment is refused (addresses that run out): then there is nothing to check. */
async function planned(manifest: unknown, floorplan: Floorplan): Promise<Plan | null> {
  try {
    return await plan(manifest, given(false), floorplan)
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') return null
    throw error
  }
}

async function deploy(history: readonly unknown[], order: readonly number[]): Promise<Floorplan> {
  let floorplan = emptyFloorplan('shop')
  for (const manifest of history) {
    const next = await planned(manifest, floorplan)
    if (next) floorplan = execute(next, floorplan, chooser(order)).floorplan
  }
  return floorplan
}

const check = (property: fc.IAsyncProperty<unknown>) => fc.assert(property as never, { numRuns: runs })

test('a deployment that was just deployed has an empty plan', async () => {
  await check(
    fc.asyncProperty(histories, async ({ history, order }) => {
      const before = await deploy(history.slice(0, -1), order)
      const first = await planned(history.at(-1), before)
      fc.pre(first !== null)
      const after = execute(first, before, chooser(order)).floorplan
      const again = await plan(history.at(-1), given(false), after)
      expect(again.remodels.map((remodel) => `${remodel.id}: ${JSON.stringify(remodel.reasons)}`)).toEqual([])
    }),
  )
})

test('a plan that was cut off anywhere is finished by the next one, and nothing is left over', async () => {
  await check(
    fc.asyncProperty(histories, fc.nat(100), async ({ history, order }, percent) => {
      const before = await deploy(history.slice(0, -1), order)
      const first = await planned(history.at(-1), before)
      fc.pre(first !== null && first.remodels.length > 0)
      const cut = execute(first, before, chooser(order), {
        most: Math.floor((first.remodels.length * percent) / 100),
      }).floorplan
      const second = await plan(history.at(-1), given(false), cut)
      const after = execute(second, cut, chooser(order)).floorplan
      expect((await plan(history.at(-1), given(false), after)).remodels.map((remodel) => remodel.id)).toEqual([])
      const vms = after.materials
        .filter((material) => material.id.startsWith('vm/'))
        .map((material) => material.id.slice(3))
      const used = after.materials
        .filter((material) => material.id.startsWith('instance/'))
        .map((material) => String(material.meta.vm))
      expect(vms.sort()).toEqual(used.sort())
    }),
  )
})

test('removing a deployment leaves nothing but compiled packages', async () => {
  await check(
    fc.asyncProperty(histories, async ({ history, order }) => {
      const before = await deploy(history, order)
      const removal = await plan(history.at(-1), given(false), before, { remove: true })
      const after = execute(removal, before, chooser(order)).floorplan
      expect(after.materials.filter((material) => !material.id.startsWith('package/'))).toEqual([])
      expect((await plan(history.at(-1), given(false), after, { remove: true })).remodels).toEqual([])
    }),
  )
})

test('the same input gives the same plan byte for byte, in whatever order the uploads came', async () => {
  await check(
    fc.asyncProperty(histories, async ({ history, order }) => {
      const before = await deploy(history.slice(0, -1), order)
      const first = await planned(history.at(-1), before)
      fc.pre(first !== null)
      const shuffled = { ...before, materials: [...before.materials].reverse() }
      const second = await plan(history.at(-1), given(true), shuffled)
      expect(
        canonical({ ...second, floorplan: null, id: '', digest: '' }) ===
          canonical({ ...first, floorplan: null, id: '', digest: '' }),
      ).toBe(true)
    }),
  )
})

test('a healthy machine is never stopped before its hot-swap replacement is made and prepared', async () => {
  await check(
    fc.asyncProperty(histories, async ({ history, order }) => {
      const before = await deploy(history.slice(0, -1), order)
      const next = await planned(history.at(-1), before)
      fc.pre(next !== null)
      const swaps = new Map(
        next.remodels.flatMap((remodel) => {
          const slot = remodel.id.split(' ')[1] ?? ''
          const gone = next.remodels.find((other) => other.id === `delete-vm ${slot}`)
          return remodel.step === 'start-instance' && gone?.needs.every((need) => !need.startsWith('stop-'))
            ? [[slot, remodel]]
            : []
        }),
      )
      execute(next, before, chooser(order), {
        started: (remodel, done) => {
          const slot = remodel.id.split(' ')[1] ?? ''
          if (remodel.step !== 'stop-instance' || !swaps.has(slot)) return
          expect(done.has(`prepare-instance ${slot}`)).toBe(true)
        },
      })
    }),
  )
})

test('at most max_in_flight instances of a group are down at once, and canaries are healthy before the rest', async () => {
  await check(
    fc.asyncProperty(histories, async ({ history, order }) => {
      const before = await deploy(history.slice(0, -1), order)
      const next = await planned(history.at(-1), before)
      fc.pre(next !== null)
      const limits = new Map(next.windows.map((window) => [window.name, window.limit]))
      const shared = new Set(next.permits.filter((permit) => permit.windows.length > 1).map((permit) => permit.name))
      const open = new Set<string>()
      execute(next, before, chooser(order), {
        started: (remodel, done, actual) => {
          const [, group, index] = /^(?:stop|start)-instance (.*)\/(\d+)$/.exec(remodel.id) ?? []
          if (group === undefined || remodel.permit?.startsWith('remove')) return
          // Those that swap addresses among each other share one permit.
          if (
            next.remodels.filter((other) => other.step === 'start-instance' && other.permit === remodel.permit).length >
            1
          )
            return
          for (const slot of open) if (done.has(`start-instance ${slot}`)) open.delete(slot)
          open.add(`${group}/${index}`)
          const down = [...open].filter((slot) => slot.startsWith(`${group}/`))
          expect(down.length).toBeLessThanOrEqual(limits.get(`update ${group}`) ?? 0)
          void actual
        },
      })
      for (const barrier of next.remodels.filter((remodel) => remodel.id.startsWith('canaries of '))) {
        const group = barrier.id.split(' ')[2] ?? ''
        const rest = next.remodels.filter(
          (remodel) =>
            remodel.step === 'start-instance' &&
            remodel.id.startsWith(`start-instance ${group}/`) &&
            !barrier.needs.includes(remodel.id) &&
            !shared.has(remodel.permit ?? ''),
        )
        for (const remodel of rest)
          if (permitIsSingle(next, remodel.permit)) expect(reaches(next, remodel.id, barrier.id)).toBe(true)
      }
    }),
  )
})

function permitIsSingle(of: Plan, permit: string | undefined): boolean {
  return of.remodels.filter((remodel) => remodel.step === 'start-instance' && remodel.permit === permit).length === 1
}

function reaches(of: Plan, from: string, to: string): boolean {
  const byId = new Map(of.remodels.map((remodel) => [remodel.id, remodel]))
  const seen = new Set<string>()
  const open = [from]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === to) return true
    if (seen.has(id)) continue
    seen.add(id)
    open.push(...(byId.get(id)?.needs ?? []))
  }
  return false
}
