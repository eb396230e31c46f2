import { z } from 'zod'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { suggest } from '../../../shared/source/document.ts'
import { defineAction, type OrderedAction } from '../../contract/kind.ts'
import type { Intent } from '../inputs.ts'
import { DeploymentOptions } from './options.ts'

/** What a person can ask of instances. The words are BOSH's. */
const whats = ['stop', 'start', 'restart', 'recreate', 'ignore', 'unignore'] as const
type What = (typeof whats)[number]

/** What is asked of which instances: a plan of it touches no other. */
export interface Lifecycle {
  readonly what: What
  /** Groups and instances: `web`, `web/0`. Empty: all. */
  readonly parts: readonly string[]
}

const Parts = z.strictObject({ parts: z.array(z.string()).default([]) })
const Rolling = Parts.extend({ skipDrain: z.boolean().default(false), ...DeploymentOptions.shape })

/**
 * The actions of a deployment: plans of its newest order that touch no other instances, in the order and at the pace of
 * the `update` block. What is stopped or ignored stays so through later deploys (`intentsAfter`).
 */
export const lifecycleActions: Readonly<Record<What, OrderedAction>> = {
  stop: rolling('stop'),
  start: rolling('start'),
  restart: rolling('restart'),
  recreate: rolling('recreate'),
  ignore: recorded('ignore'),
  unignore: recorded('unignore'),
}

function rolling(what: What): OrderedAction {
  const options: OrderedAction<typeof Rolling>['options'] = ({ parts, skipDrain, ...own }) => ({
    skipDrain,
    own: { ...own, lifecycle: { what, parts } },
  })
  return defineAction({ input: Rolling, options }) as OrderedAction
}

function recorded(what: What): OrderedAction {
  const options: OrderedAction<typeof Parts>['options'] = ({ parts }) => ({ own: { lifecycle: { what, parts } } })
  return defineAction({ input: Parts, options }) as OrderedAction
}

/** What a person wants of an instance once this was asked of it. What is ignored can only be ignored no more. */
export function intentsAfter(before: readonly Intent[], what: What): readonly Intent[] {
  const wanted = new Set(before)
  if (wanted.has('ignored') && what !== 'unignore') return before
  if (what === 'stop') wanted.add('stopped')
  if (what === 'start') wanted.delete('stopped')
  if (what === 'ignore') wanted.add('ignored')
  if (what === 'unignore') wanted.delete('ignored')
  return [...wanted].sort()
}

/**
 * Which of these instances are meant, by name. Throws `not-found` for a part that is neither one of them nor one of
 * their groups.
 */
export function partsOf({ parts }: Lifecycle, instances: readonly { name: string; group: string }[]): Set<string> {
  const names = new Set(instances.map(({ name }) => name))
  if (parts.length === 0) return names
  const groups = Map.groupBy(instances, ({ group }) => group)
  const found = parts.map((part) => {
    const members = groups.get(part)?.map(({ name }) => name) ?? (names.has(part) ? [part] : [])
    if (members.length > 0) return members
    const { suggestion } = suggest(part, [...groups.keys(), ...names])
    const nearest = suggestion ? `; did you mean ${suggestion}?` : ''
    throw new RemodelError('not-found', `there is no instance and no group ${part}${nearest}`)
  })
  return new Set(found.flat())
}
