import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { ActualMaterial } from '../../shared/model/material.ts'
import type { Remodel } from '../../shared/model/plan.ts'
import { jobName } from '../../shared/queue/payloads.ts'
import { released } from '../support/plans.ts'

/** Carries a plan out as assemblers do, as far as the floorplan can tell; what `fails` names ends badly. */
export async function steps(
  ledger: Ledger,
  deployment: string,
  plan: string,
  fails: (id: string) => boolean,
): Promise<void> {
  for (;;) {
    const found = await released(ledger, deployment, plan)
    if (found.length === 0) return
    const wanted = found.map(({ remodel, release }) => ({ plan, remodel, job: jobName(remodel, release) }))
    for (const result of await ledger.claim(deployment, 'worker', wanted)) {
      if (result.status !== 'claimed') continue
      const { remodel, fence } = result.claim
      const report = { plan, remodel: remodel.id, fence }
      await ledger.complete(deployment, [
        fails(remodel.id)
          ? { ...report, outcome: 'failed', code: 'job-failed', message: 'it fails' }
          : { ...report, outcome: 'done', floorplan: recorded(remodel) },
      ])
    }
  }
}

function recorded({ step, material, input }: Remodel): Record<string, Omit<ActualMaterial, 'id'> | null> {
  const given = input as { vm: ActualMaterial['attributes'] & string; attributes: ActualMaterial['attributes'] }
  if (step === 'create-vm') return { [material]: { attributes: given.vm, needs: [], meta: {} } }
  if (step === 'start-instance')
    return { [material]: { attributes: given.attributes, needs: [], meta: { vm: given.vm } } }
  if (step === 'delete-vm') {
    const { forget } = input as { forget: string[] }
    return { [material]: null, ...Object.fromEntries(forget.map((id) => [id, null])) }
  }
  return {}
}
