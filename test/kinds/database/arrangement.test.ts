import { describe, expect, test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import type { ActualMaterial, Attributes } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { builtBy } from './built.ts'
import type { Wish } from './document.ts'
import { planOf } from './planned.ts'

/** How a server of a node may be found. */
const states = {
  well: { server: { health: 'running', lag_bytes: 0 } },
  'cut off': { server: { health: 'running', lag_bytes: null }, error: 'it follows no server' },
  silent: { server: { health: 'down', machine: 'answers' }, lost: true },
  lost: { server: { health: 'down' }, lost: true, host: { health: 'missing', disk: 'there' } },
  'lost with its disk': { server: { health: 'down' }, lost: true, host: { health: 'missing', disk: 'gone' } },
} as const satisfies Record<string, { server: Attributes; error?: string; lost?: true; host?: Attributes }>
type State = keyof typeof states

/** Node n1 as it was built, with its servers in these states. */
function found(built: ActualMaterial[], servers: Record<string, State>, primary: string): ActualMaterial[] {
  const marked = (
    material: ActualMaterial,
    { lost, error = '' }: { lost?: true; error?: string },
    meta: Attributes,
  ) => {
    const resource = { ...(material.meta.resource as object), needs_recreate: lost === true, error }
    return { ...material, meta: { ...material.meta, ...meta, resource } }
  }
  return built.map((material) => {
    const letter = material.id.at(-1)!
    const state = states[servers[letter] ?? 'well'] as (typeof states)[State] & {
      error?: string
      lost?: true
      host?: Attributes
    }
    if (material.id.startsWith('instance/')) {
      const role = letter === primary ? 'primary' : 'replica'
      const position = { role, received: 1, timeline: 1, slots: [] }
      return marked(material, state, state.lost ? state.server : { ...position, ...state.server })
    }
    if (material.id.startsWith('host/') && state.host) return marked(material, { lost: true }, state.host)
    return material
  })
}

/**
 * Why the arrangements of the plan may wait for a server that is set up behind them, or leave one out in the end, or
 * for one that is not well and that nothing sets up; null where not.
 */
function faultOf({ remodels }: Plan, unwell: string[]): string | null {
  const setUp = remodels.map(({ step, material }) =>
    step === 'set-up-instance' ? material.slice('instance/'.length) : '',
  )
  const arranged = remodels.flatMap(({ step, input }, at) =>
    step === 'arrange-node' ? [{ at, ...inputs['arrange-node'].parse(input) }] : [],
  )
  for (const { at, members, later } of arranged) {
    const behind = setUp.slice(at).filter((instance) => members.some((member) => member.instance === instance))
    if (behind.toSorted().join() !== later.toSorted().join()) return `${at}: ${behind} come later, not ${later}`
  }
  const last = arranged.at(-1)
  const missed = last?.members.filter(({ instance }) => unwell.includes(instance) && !setUp.includes(instance)) ?? []
  if (missed.length > 0) return `nothing sets up ${missed.map(({ instance }) => instance)}`
  return setUp.some(Boolean) && (last === undefined || last.later.length > 0) ? 'nothing arranges all servers' : null
}

const three: Wish = { net: 80, nodes: { n1: 'abc' } }
const changes: Record<string, Wish> = {
  nothing: three,
  'a setting': { ...three, settings: { max_connections: 80 } },
  'a replica more': { ...three, nodes: { n1: 'abcd' }, settings: { max_connections: 80 } },
  'a replica less': { ...three, nodes: { n1: 'ab' } },
  'other order': { ...three, nodes: { n1: 'cba' } },
}

describe.each(Object.keys(changes))('an arrangement of a node, the document changing: %s', (change) => {
  test.each([...'abc'])(
    'leaves a server out that is set up behind it, and the last one none; the primary is %s',
    async (primary) => {
      const built = builtBy(await planOf(three)).map((material) =>
        material.id === 'node/n1'
          ? { ...material, attributes: { ...material.attributes, primary_instance_id: `n1-${primary}` } }
          : material,
      )
      let plans = 0
      // Without their disks primaries alone are lost: a replica is copied either way.
      const of = (letter: string) =>
        (Object.keys(states) as State[]).filter((name) => letter === primary || name !== 'lost with its disk')
      for (const a of of('a')) {
        for (const b of of('b')) {
          for (const c of of('c')) {
            for (const heir of [undefined, primary === 'b' ? 'c' : 'b']) {
              const wish = { ...changes[change]!, ...(heir === undefined ? {} : { primary: { n1: heir } }) }
              const plan = await planOf(wish, found(built, { a, b, c }, primary)).catch(() => null)
              if (plan === null) continue
              plans += 1
              const unwell = [...'abc']
                .filter((letter) => ({ a, b, c })[letter] !== 'well')
                .map((letter) => `n1-${letter}`)
              expect(faultOf(plan, unwell), JSON.stringify({ a, b, c, heir })).toBeNull()
            }
          }
        }
      }
      expect(plans).toBeGreaterThan(60)
    },
  )
})
