import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../shared/api/client.ts'
import type { Instance } from '../shared/api/schemas/instance.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { instancePath } from './arguments.ts'

export interface InstanceLogs {
  instance: string
  files: { path: string; content: string }[]
  next: string
}

const everyMs = 1000

/**
 * The instances that a name means: one, those of a group or node, or all. Any other name is for the planner to judge.
 */
export async function instancesMeant(client: Client, deployment: string, name: string | undefined): Promise<string[]> {
  if (name?.includes('/')) return [name]
  const all = await client.instances(deployment)
  const meant = name === undefined ? all : all.filter((one) => one.instance === name || partOf(one) === name)
  if (meant.length > 0) return meant.map(({ instance }) => instance)
  if (name !== undefined) return [name]
  throw new RemodelError('not-found', `${deployment} has no instances`)
}

/** `web` of `web/0`; of an instance whose kind gives it one name, what is ahead of its first dash: `n1` of `n1-a`. */
function partOf({ instance }: Instance): string {
  return instance.split(instance.includes('/') ? '/' : '-')[0]!
}

/** The last lines of each; `silent`: one that cannot be asked, and why. */
export async function lastLines(
  client: Client,
  deployment: string,
  { instances, lines }: { instances: readonly string[]; lines: number },
  silent: (instance: string, error: RemodelError) => void,
): Promise<InstanceLogs[]> {
  const read = await Promise.all(
    instances.map(async (instance): Promise<InstanceLogs[]> => {
      try {
        return [{ instance, ...(await client.logs(deployment, instancePath(instance), { lines })) }]
      } catch (error) {
        if (instances.length === 1 || !(error instanceof RemodelError)) throw error
        silent(instance, error)
        return []
      }
    }),
  )
  return read.flat()
}

/**
 * Lines written from then on, until `left`. An instance that cannot be asked is asked again; its going
 * and coming is said once.
 */
export async function* followLogs(
  client: Client,
  deployment: string,
  { instances, from }: { instances: readonly string[]; from: readonly InstanceLogs[] },
  { left, silent }: { left: AbortSignal; silent: (instance: string, error: RemodelError | null) => void },
): AsyncGenerator<InstanceLogs> {
  const places = new Map(from.map(({ instance, next }) => [instance, next]))
  const quiet = new Set(instances.filter((instance) => !places.has(instance)))
  while (!left.aborted) {
    for (const instance of instances) {
      const after = places.get(instance)
      try {
        const answer = await client.logs(deployment, instancePath(instance), after === undefined ? {} : { after })
        if (quiet.delete(instance)) silent(instance, null)
        places.set(instance, answer.next)
        if (answer.files.length > 0) yield { instance, ...answer }
      } catch (error) {
        if (!(error instanceof RemodelError)) throw error
        if (!quiet.has(instance)) silent(instance, error)
        quiet.add(instance)
      }
    }
    await sleep(everyMs, undefined, { signal: left }).catch(() => {})
  }
}
