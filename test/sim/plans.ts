import type { RemodelDraft } from '../../kinds/contract/draft.ts'
import { sealPlan } from '../../services/planner/planning/seal.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Json } from '../../shared/model/material.ts'
import type { Permit, Plan, Window } from '../../shared/model/plan.ts'
import type { Random } from './random.ts'
import type { WorkInput } from './world.ts'

/** What people do with a plan while it runs. */
export interface Intentions {
  /** Milliseconds after it was opened. */
  cancelAfterMs: number | null
  force: boolean
  /** Remodel -> whether the approval is given, or null where it is not decided. */
  approvals: Map<string, boolean | null>
  /** Another plan is carried out as soon as this one is parked. */
  between: boolean
}

export interface DrawnPlan {
  plan: Plan
  intentions: Intentions
}

/** Where a plan is drawn. */
interface Ground {
  deployment: string
  /** Of its floorplan. */
  version: number
  now: number
}

/** A random plan for a deployment. `nth` begins with its number among those of the deployment. */
export function drawPlan({ deployment, version, now }: Ground, nth: string, random: Random): DrawnPlan {
  const windows: Window[] = Array.from({ length: random.int(0, 2) }, (_, i) => ({
    name: `w${i}`,
    limit: random.int(1, 2),
  }))
  const permits: Permit[] = Array.from({ length: windows.length === 0 ? 0 : random.int(1, 4) }, (_, i) => ({
    name: `p${i}`,
    windows: [windows[0]!.name, ...(windows[1] && random.chance(0.3) ? [windows[1].name] : [])],
  }))
  const size = random.pick([1, 3, 6, 6, 9, 14])
  const density = random.pick([0.1, 0.3, 0.5])
  const trouble = random.chance(0.5)
  const drafts: RemodelDraft[] = []
  /**
   * A permit is held from its first remodel on, so what comes after that may not wait for another permit: it needs
   * the first one, and else only what the first one has waited for or what waits for no permit at all.
   */
  const keepPassable = (permit: string, id: string, needs: Set<string>) => {
    placed.add(id)
    const entry = entries.get(permit)
    if (!entry) {
      entries.set(permit, { id, before: closureOf(ancestors, needs) })
      return
    }
    for (const need of needs) {
      const free = [...closureOf(ancestors, [need])].every((one) => !placed.has(one))
      const own = drafts.find((draft) => draft.id === need)?.permit === permit
      if (!own && !free && !entry.before.has(need)) needs.delete(need)
    }
    needs.add(entry.id)
  }
  const approvals = new Map<string, boolean | null>()
  /** Last remodel of each material: two of one material never run side by side. */
  const last = new Map<string, string>()
  const compiled = new Map<string, string>()
  const entries = new Map<string, { id: string; before: Set<string> }>()
  const ancestors = new Map<string, Set<string>>()
  const placed = new Set<string>()
  for (let i = 0; i < size; i++) {
    const id = `r${i}`
    const needs = new Set(random.some(drafts, density / (1 + i / 6)).map((draft) => draft.id))
    const kind = random.next()
    const usual = {
      id,
      title: id,
      stage: 'Simulating',
      reasons: [{ code: 'asked-for' }],
      deadlineSeconds: random.between(1.5, 6),
    }
    if (kind < 0.1) {
      drafts.push({ ...usual, step: 'barrier', action: 'barrier', material: `gate/${id}`, needs: [...needs] })
    } else if (kind < 0.15) {
      approvals.set(id, random.chance(0.8) ? random.chance(0.85) : null)
      drafts.push({ ...usual, step: 'approve', action: 'approve', material: `gate/${id}`, needs: [...needs] })
    } else if (kind < 0.2) {
      const opens = Math.round(now + random.pick([-1000, 500, 3000, 8000]))
      const closes = random.chance(0.15) ? { closes: opens + random.int(1, 4000) } : {}
      drafts.push({
        ...usual,
        step: 'gate',
        action: 'gate',
        material: `gate/${id}`,
        opens,
        ...closes,
        needs: [...needs],
      })
    } else if (kind < 0.4) {
      const spec = drawPackage(random, trouble)
      if (compiled.has(spec.key)) continue
      const dependency = spec.dependencies[0]
      if (dependency) {
        const first = compiled.get(dependency.key)
        if (first) needs.add(first)
        else spec.dependencies = []
      }
      compiled.set(spec.key, id)
      const more = {
        step: 'compile-package',
        action: 'compile' as const,
        material: `package/${spec.key}`,
        queue: 'compile',
      }
      drafts.push({
        ...usual,
        ...more,
        when: 'independent',
        input: { ...spec } as unknown as Json,
        weight: random.int(0, 100),
        attempts: random.int(2, 4),
        needs: [...needs],
      })
    } else {
      const permit = permits.length > 0 && random.chance(0.6) ? random.pick(permits).name : undefined
      const again = permit === undefined && random.chance(0.25) && last.size > 0
      const material = again ? random.pick([...last.keys()]) : `thing/${id}`
      if (again) needs.add(last.get(material)!)
      last.set(material, id)
      if (permit !== undefined) keepPassable(permit, id, needs)
      const nature = trouble && random.chance(0.15) ? random.pick(['broken', 'flaky'] as const) : 'sound'
      const ms = random.pick([0, 20, 200, 800])
      const looks = random.chance(0.2) ? random.int(1, 4) : 0
      const op = `${deployment}.${nth} ${id}`
      const input: WorkInput = { ms, parts: random.int(1, 2), nature, looks, op }
      drafts.push({
        ...usual,
        step: 'work',
        action: 'update',
        material,
        input,
        attempts: random.int(1, 4),
        when: random.pick(['healthy', 'healthy', 'healthy', 'independent', 'always'] as const),
        ...(permit === undefined ? {} : { permit }),
        weight: random.chance(0.5) ? random.int(0, 1000) : 0,
        // All looks together have one deadline.
        ...(looks > 0 ? { deadlineSeconds: 40 } : {}),
        ...(random.chance(0.25) ? { version: 2 } : {}),
        needs: [...needs],
      })
    }
    ancestors.set(id, closureOf(ancestors, needs))
  }
  const plan = sealPlan(
    { remodels: drafts, windows, permits, notes: [] },
    { deployment, kind: 'sim', materials: [], strategy: nth },
    { deployment, version, materials: [] },
  )
  const cancel = random.chance(0.12)
  return {
    plan,
    intentions: {
      cancelAfterMs: cancel ? random.between(0, 3000) : null,
      force: random.chance(0.3),
      approvals,
      between: random.chance(0.4),
    },
  }
}

function closureOf(ancestors: Map<string, Set<string>>, ids: Iterable<string>): Set<string> {
  return new Set([...ids].flatMap((one) => [one, ...(ancestors.get(one) ?? [])]))
}

/** One of few packages, so that plans and deployments meet at them. */
function drawPackage(random: Random, trouble: boolean): CompileSpec {
  const name = random.pick(['zlib', 'zlib', 'openssl', 'curl', ...(trouble ? ['broken'] : [])])
  const dependencies = name === 'curl' ? [{ name: 'zlib', key: 'zlib-key' }] : []
  return {
    key: `${name}-key`,
    name,
    fingerprint: name,
    source: 'sha256:0',
    dependencies,
    stemcell: { name: 'jammy', os: 'ubuntu', version: '1' },
    resources: {},
    reuse: name !== 'openssl',
  }
}
