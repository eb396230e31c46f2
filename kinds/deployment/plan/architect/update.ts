import type { GroupUpdate } from '../schema/manifest.ts'
import type { UpdateStrategy } from '../strategy.ts'
import type { Faults, Sourced } from './faults.ts'

/**
 * The update block of a group: its own values over the deployment's over BOSH's defaults (`DP/update_config.rb`):
 * serial true, delete-create. Both blocks have passed their schema.
 */
export function updateStrategy(
  deployment: Sourced<GroupUpdate>,
  group: Sourced<GroupUpdate>,
  faults: Faults,
): UpdateStrategy {
  const pick = <Key extends keyof GroupUpdate>(
    key: Key,
  ): [NonNullable<GroupUpdate[Key]> | undefined, Sourced<unknown>] =>
    group.value[key] === undefined
      ? [deployment.value[key] as NonNullable<GroupUpdate[Key]> | undefined, deployment]
      : [group.value[key] as NonNullable<GroupUpdate[Key]>, group]
  const watch = (key: 'canary_watch_time' | 'update_watch_time') => {
    const [value = 0, at] = pick(key)
    const [min = 0, max = min] = String(value)
      .split('-')
      .map((part) => Number(part.trim()))
    if (min > max)
      faults.add(at, [key], 'the shortest time is longer than the longest', {
        found: String(value),
        allowed: 'min-max in ms',
      })
    return { minMs: min, maxMs: max }
  }
  return {
    serial: pick('serial')[0] ?? true,
    canaries: String(pick('canaries')[0] ?? 0).replaceAll(/\s/g, ''),
    maxInFlight: String(pick('max_in_flight')[0] ?? 1).replaceAll(/\s/g, ''),
    canaryWatch: watch('canary_watch_time'),
    updateWatch: watch('update_watch_time'),
    vmStrategy: pick('vm_strategy')[0] ?? 'delete-create',
  }
}

/**
 * `3` or `50%` of `size`: floor, at most `size` for a percentage, at least `least` (`D/numerical_value_calculator.rb`).
 */
export function shareOf(text: string, size: number, least: number): number {
  const count = text.endsWith('%') ? Math.min(size, Math.floor((size * Number(text.slice(0, -1))) / 100)) : Number(text)
  return Math.max(least, count)
}
