import { z } from 'zod'

/** What commits of a node wait for: `confirm` of the servers other than its primary. `of`: all its servers. */
export const Commits = z.object({ of: z.array(z.string()), confirm: z.int().nonnegative() })
export type Commits = z.infer<typeof Commits>

/**
 * How many servers of a node must have answered before one of them may become its primary without loss. A commit that
 * was acknowledged is on the primary and on `confirm` of its n replicas; among n - confirm + 1 servers there is always
 * one that has it. With `confirm` 0 only all of them, the primary too, are enough.
 */
export function answersNeeded({ of, confirm }: Commits): number {
  return of.length - confirm
}

/** Whether what these servers have holds everything that was acknowledged. */
export function isEnough(commits: Commits, answered: readonly string[]): boolean {
  return commits.of.filter((server) => answered.includes(server)).length >= answersNeeded(commits)
}

/**
 * The same as a primary has it: what its `synchronous_standby_names` says; where it names none, these
 * servers are the node's.
 */
export function commitsIn(standbyNames: string, primary: string, servers: readonly string[]): Commits {
  const names = [...standbyNames.matchAll(/"([^"]+)"/g)].map(([, name]) => name!)
  return names.length > 0 ? commitsOf([primary, ...names], true) : commitsOf(servers, false)
}

export function isSame(one: Commits, other: Commits): boolean {
  return one.confirm === other.confirm && [...one.of].sort().join() === [...other.of].sort().join()
}

/**
 * Commits of these servers as they are arranged: one replica has to have it, where there is one and they wait at all.
 */
export function commitsOf(servers: readonly string[], synchronous: boolean): Commits {
  return { of: [...servers], confirm: synchronous && servers.length > 1 ? 1 : 0 }
}
