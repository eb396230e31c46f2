import { z } from 'zod'
import { type Attributes, materialType } from '../../../shared/model/material.ts'
import { observation, observed } from '../../../shared/model/observation.ts'
import type { Kit } from '../../testing/kit.ts'
import { Health, health } from '../plan/observations.ts'
import { effect } from './effect.ts'

const Finding = z.strictObject({ health: Health })

export const kit: Kit = {
  effect,
  findings: { vm: Finding, instance: Finding, disk: Finding },
  inspect({ materials }, { findings, now }) {
    const look = { at: now, observer: 'lab' }
    const found = (id: string) => healthIn(findings.get(id))
    const instances = materials.filter(({ id }) => materialType(id) === 'instance')
    const ownerOf = new Map<string, string>(instances.map(({ id, meta }) => [`vm/${meta.vm}`, id]))
    const observations = materials.flatMap(({ id, meta }) => {
      // A machine that is gone takes its instance with it, and an instance is gone with its machine alone.
      const owner = ownerOf.get(id)
      const withOwner = owner !== undefined && found(owner) === 'missing' ? 'missing' : undefined
      const withVm = materialType(id) === 'instance' ? found(`vm/${meta.vm}`) : undefined
      const state = found(id) ?? withOwner ?? (withVm === 'running' ? undefined : withVm)
      return state === undefined ? [] : [observation(health, id, state, look)]
    })
    return { materials, observations }
  },
  tell: (observations) => [...observed(observations, health)].map(([subject, text]) => ({ subject, text })),
}

const healthIn = (finding: Attributes | undefined) =>
  finding === undefined ? undefined : Finding.parse(finding).health
