import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { z } from 'zod'
import { deploymentOf, owingChannel } from '../../../shared/ledger/keys.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { OwedFences } from '../../../shared/ledger/owed.ts'
import { listen } from '../../../shared/runtime/channel.ts'
import type { Division } from '../../../shared/runtime/division.ts'
import { toError } from '../../../shared/runtime/errors.ts'

/** How often machines are asked again that did not answer. */
const againMs = 10_000

/**
 * Shows machines the fences that a deployment owes as soon as it owes them, so that a worker that wakes up is
 * refused though no other plan comes. An announcement that is missed costs nothing: the next plan of the deployment
 * begins with what is owed.
 */
export async function startPaying(parts: {
  ledger: Ledger
  owed: OwedFences
  planners: Pick<Division, 'falls'>
  subscriber: Redis
  log: Logger
}): Promise<{ stop(): void }> {
  const { ledger, owed, planners, subscriber, log } = parts
  const silent = new Set<string>()
  const pay = async (deployment: string) => {
    await owed.pay(deployment)
    if ((await ledger.owed(deployment)).length > 0) silent.add(deployment)
  }
  const askAgain = async (deployment: string) => {
    if (!(await owed.askAgain(deployment))) silent.delete(deployment)
  }
  const failed = (deployment: string) => (error: unknown) => {
    silent.add(deployment)
    log.warn(
      { deployment, err: toError(error) },
      'machines could not be shown the fences that they are owed; tried again later',
    )
  }
  await listen(subscriber, owingChannel(ledger.settings), z.object({ base: z.string() }), ({ base }) => {
    const deployment = deploymentOf(base)
    if (planners.falls(deployment)) pay(deployment).catch(failed(deployment))
  })
  const timer = setInterval(() => {
    for (const deployment of silent)
      pay(deployment)
        .then(() => askAgain(deployment))
        .catch(failed(deployment))
  }, againMs)
  return { stop: () => clearInterval(timer) }
}
