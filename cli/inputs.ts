import type { Command } from 'commander'
import type { PlanRequest } from '../shared/api/schemas/plan.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { gather, numberOrShare, wholeNumber } from './arguments.ts'
import { readSource } from './files.ts'
import type { UploadedVersion } from './manifest-releases.ts'
import { beginOf } from './moment.ts'

/** Options that shape a plan, the same for `plan` and `deploy`. */
export interface PlanningOptions {
  cloudConfig?: string[]
  recreate?: boolean
  skipDrain?: boolean
  acceptLoss?: boolean
  notBefore?: string
  notAfter?: string
  canaries?: number
  maxInFlight?: string
}

export function addPlanningOptions(command: Command): void {
  command.option(
    '-c, --cloud-config <file>',
    'use this cloud config instead of the stored one (may be repeated)',
    gather,
  )
  addPlanOptions(command)
}

/** Those that say how, not what. */
export function addPlanOptions(command: Command): void {
  command
    .option('--recreate', 'recreate every VM')
    .option('--skip-drain', 'stop jobs without their pre-stop and drain scripts')
    .option('--accept-loss', 'fail over though rows that were acknowledged may be lost')
    .option('--not-before <time>', 'begin at this time: 22:00, or 2026-12-24T22:00 (compiling begins at once)')
    .option(
      '--not-after <time>',
      'fail if it could not begin by this time; remodels that have begun go on to their end',
    )
    .option('--canaries <n>', 'override the number of canaries', wholeNumber(0))
    .option('--max-in-flight <n|%>', 'override how many instances change at once', numberOrShare)
}

/** What the planner is asked: the files as they are, so that faults name the user's own lines. */
export async function planRequest(manifest: string, options: PlanningOptions): Promise<PlanRequest> {
  const configs = options.cloudConfig ?? []
  if ([manifest, ...configs].filter((name) => name === '-').length > 1) {
    throw new RemodelError('invalid-input', 'only one file can come from the standard input')
  }
  return {
    manifest: await readSource(manifest),
    cloudConfigs: await Promise.all(configs.map(readSource)),
    options: planOptions(options),
  }
}

/** The same for a planner and offline. */
export function planOptions(options: PlanningOptions) {
  return {
    recreate: options.recreate ?? false,
    skipDrain: options.skipDrain ?? false,
    ...(options.acceptLoss ? { acceptLoss: true } : {}),
    ...beginOf(options, Date.now()),
    ...(options.canaries === undefined ? {} : { canaries: options.canaries }),
    ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
  }
}

/** Tells the planner which versions were uploaded for this manifest: `version: create` means these. */
export function withReleases(request: PlanRequest, releases: readonly UploadedVersion[]): PlanRequest {
  return { ...request, releases: [...releases] }
}
