import type { Redis } from 'ioredis'
import type { Remodel } from '../model/plan.ts'

/** `<kind>/<step>` -> the latest version of its input that a worker can read. */
export type KnownSteps = Readonly<Record<string, number>>

type Asked = Pick<Remodel, 'step' | 'queue' | 'version'>

export function stepKey(kind: string, step: string): string {
  return `${kind}/${step}`
}

/** What a remodel waits for that a worker has left to others. */
export function workerFor(kind: string, { step, queue, version = 1 }: Asked): string {
  const which = version > 1 ? ` in version ${version}` : ''
  return `a worker of queue ${queue} that knows step ${step} of kind ${kind}${which}`
}

/** How many of these workers know a step. One that does not announce its steps is older than that, and may know it. */
export async function countKnowing(
  redis: Redis,
  announced: readonly string[],
  kind: string,
  { step, version = 1 }: Asked,
): Promise<number> {
  if (announced.length === 0) return 0
  const texts = await Promise.all(announced.map((key) => redis.get(key)))
  const knows = (text: string | null) =>
    text === null || ((JSON.parse(text) as KnownSteps)[stepKey(kind, step)] ?? 0) >= version
  return texts.filter(knows).length
}
