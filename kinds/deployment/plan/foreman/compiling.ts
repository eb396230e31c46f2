import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { inOrder } from '../../../contract/order.ts'
import { remainingPaths, usualMs } from '../../../contract/weigh.ts'
import { packageId, shortKey } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import type { DraftWriter } from './draft.ts'
import type { StandingPlace } from './standing.ts'
import type { Task } from './task.ts'

const stage = 'Compiling packages'

/**
 * Compile remodels for what the changed instances need and nobody has compiled yet. Returns for each group what its
 * instances have to wait for: nothing more than their own packages, so that machines are made meanwhile.
 */
export function compilePackages(
  strategy: Strategy,
  standing: StandingPlace,
  tasks: readonly Task[],
  writer: DraftWriter,
  durations: ReadonlyMap<string, number>,
): Map<string, string[]> {
  const missing = new Set<string>()
  const isMissing = (key: string) => {
    const item = strategy.packages[key]
    return item !== undefined && !standing.packages.has(packageId(item.name, key))
  }
  const claim = (key: string) => {
    if (missing.has(key) || !isMissing(key)) return
    const item = strategy.packages[key]
    if (item?.source === undefined) throw lost(item?.name ?? '', item?.stemcell)
    missing.add(key)
    // What a package is compiled from must be there; what a compiled one was compiled from need not.
    for (const need of strategy.packages[key]?.dependencies ?? []) claim(need.key)
  }
  const groups = new Set(tasks.map((task) => task.group))
  for (const group of groups) for (const key of Object.values(group.packages)) claim(key)
  if (missing.size === 0) return new Map()

  const needsOf = (key: string) =>
    (strategy.packages[key]?.dependencies ?? []).map((need) => need.key).filter((need) => missing.has(need))
  const order = inOrder([...missing].sort(byName(strategy)), needsOf)
  const known = order.map((key) => durations.get(packageId(strategy.packages[key]!.name, key)))
  const usual = usualMs(known.filter((ms) => ms !== undefined))
  const weights = remainingPaths(order.map((id, i) => ({ id, needs: needsOf(id), ms: Math.max(1, known[i] ?? usual) })))
  const idOf = (key: string) => `compile-package ${strategy.packages[key]?.name}/${shortKey(key)}`
  writer.window('compile', strategy.compile.workers)
  for (const key of order) {
    const item = strategy.packages[key]!
    const subject = `${item.name}/${shortKey(key)}`
    writer.step(
      'compile-package',
      subject,
      {
        key,
        name: item.name,
        fingerprint: item.fingerprint,
        source: item.source ?? '',
        dependencies: item.dependencies,
        stemcell: item.stemcell,
        resources: strategy.compile.resources,
        reuse: strategy.compile.reuse,
        ...(strategy.compile.network === undefined ? {} : { network: strategy.compile.network }),
        ...(strategy.compile.orphan === undefined ? {} : { orphan: strategy.compile.orphan }),
      },
      {
        action: 'compile',
        material: packageId(item.name, key),
        stage,
        needs: needsOf(key).map(idOf),
        place: writer.place(`compile ${subject}`, 'compile'),
        when: 'independent',
        ...(strategy.compile.deadlineSeconds === undefined
          ? {}
          : { deadlineSeconds: strategy.compile.deadlineSeconds }),
        reasons: [`not compiled yet for ${item.stemcell.os}/${item.stemcell.version}`],
        weight: weights.get(key)!,
      },
    )
  }
  return new Map(
    [...groups].map((group) => {
      const own = Object.values(group.packages)
        .filter((key) => missing.has(key))
        .map(idOf)
      // One barrier keeps a group of n instances and m packages at n + m edges.
      if (own.length > 1)
        return [
          group.name,
          [writer.barrier(`packages of ${group.name} are compiled`, stage, `group/${group.name}`, own)],
        ]
      return [group.name, own]
    }),
  )
}

/** The planner learns compiled packages of a release when it is uploaded; here it has forgotten one. */
function lost(name: string, stemcell?: { os: string; version: string }): RemodelError {
  const message = `package ${name} is there in compiled form only (${stemcell?.os}/${stemcell?.version}), and that form is lost: upload its release again`
  return new RemodelError('not-found', message, { details: { package: name } })
}

const byName = (strategy: Strategy) => (a: string, b: string) => {
  const [left, right] = [strategy.packages[a]?.name ?? '', strategy.packages[b]?.name ?? '']
  return left < right ? -1 : left > right ? 1 : a < b ? -1 : 1
}
