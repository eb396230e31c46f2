import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { inOrder } from '../../../contract/order.ts'
import { remainingPaths, usualMs } from '../../../contract/weigh.ts'
import type { StepInput } from '../../inputs.ts'
import { groupId, packageId, shortKey } from '../names.ts'
import type { CompileStrategy, PackageStrategy } from '../strategy.ts'
import type { IndexedFloorplan } from './actual.ts'
import type { PlanContext } from './context.ts'
import type { DraftWriter } from './draft.ts'
import type { Decided } from './stages.ts'
import type { Wanted, WantedGroup } from './wanted.ts'

const stage = 'Compiling packages'

/**
 * Compile remodels for what the changed instances need and no compiler has compiled yet. Returns for each group what
 * its instances have to wait for: nothing more than their own packages, so that machines are made meanwhile.
 */
export function compilePackages(
  { wanted, actual, durations }: PlanContext,
  tasks: readonly Decided[],
  writer: DraftWriter,
): Map<string, readonly string[]> {
  const { packages, compile } = wanted
  const groups = new Set(tasks.map((task) => task.group))
  const missing = missingPackages(groups, packages, actual)
  if (missing.size === 0) return new Map()

  const needsOf = (key: string) =>
    (packages[key]?.dependencies ?? []).map((need) => need.key).filter((need) => missing.has(need))
  const order = inOrder([...missing].sort(byName(packages)), needsOf)
  const known = order.map((key) => durations.get(packageId(packages[key]!.name, key)))
  const usual = usualMs(known.filter((ms) => ms !== undefined))
  const weights = remainingPaths(order.map((id, i) => ({ id, needs: needsOf(id), ms: Math.max(1, known[i] ?? usual) })))
  const subjectOf = (key: string) => `${packages[key]?.name}/${shortKey(key)}`
  const idOf = (key: string) => `compile-package ${subjectOf(key)}`
  writer.window('compile', compile.workers)
  for (const key of order) {
    const item = packages[key]!
    writer.step('compile-package', subjectOf(key), specOf(key, item, compile), {
      action: 'compile',
      material: packageId(item.name, key),
      stage,
      needs: needsOf(key).map(idOf),
      permit: writer.permit(`compile ${subjectOf(key)}`, 'compile'),
      when: 'independent',
      ...(compile.deadlineSeconds === undefined ? {} : { deadlineSeconds: compile.deadlineSeconds }),
      reasons: [{ code: 'not-compiled', os: item.stemcell.os, version: item.stemcell.version }],
      weight: weights.get(key)!,
    })
  }
  return new Map(
    [...groups].map(({ name, attributes }) => {
      const own = Object.values(attributes.packages)
        .filter((key) => missing.has(key))
        .map(idOf)
      // One barrier keeps a group of n instances and m packages at n + m edges.
      return [
        name,
        own.length > 1 ? [writer.barrier(`packages of ${name} are compiled`, stage, groupId(name), own)] : own,
      ]
    }),
  )
}

/** Keys of the packages of these groups that are not compiled, and of what they are compiled from. */
function missingPackages(
  groups: Iterable<WantedGroup>,
  packages: Wanted['packages'],
  actual: IndexedFloorplan,
): Set<string> {
  const missing = new Set<string>()
  const open = [...groups].flatMap(({ attributes }) => Object.values(attributes.packages)).reverse()
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    const item = packages[key]
    if (missing.has(key) || !item || actual.packages.has(packageId(item.name, key))) continue
    if (item.source === undefined) throw lost(item.name, item.stemcell)
    missing.add(key)
    // The dependencies of a package that is compiled must be there; those of a compiled one need not.
    open.push(...item.dependencies.map((need) => need.key).reverse())
  }
  return missing
}

function specOf(
  key: string,
  { name, fingerprint, source = '', dependencies, stemcell }: PackageStrategy,
  { resources, reuse, network, orphan }: CompileStrategy,
): StepInput<'compile-package'> {
  return {
    key,
    name,
    fingerprint,
    source,
    dependencies,
    stemcell,
    resources,
    reuse,
    ...(network === undefined ? {} : { network }),
    ...(orphan === undefined ? {} : { orphan }),
  }
}

/** The planner learns compiled packages of a release when it is uploaded; here it has forgotten one. */
function lost(name: string, stemcell: { os: string; version: string }): RemodelError {
  const message = `package ${name} is there in compiled form only (${stemcell.os}/${stemcell.version}), and that form is lost: upload its release again`
  return new RemodelError('not-found', message, { details: { package: name } })
}

const byName = (packages: Wanted['packages']) => (a: string, b: string) => {
  const [left, right] = [packages[a]?.name ?? '', packages[b]?.name ?? '']
  return left < right ? -1 : left > right ? 1 : a < b ? -1 : 1
}
