import type { Logger } from 'pino'
import { toError } from '../../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../../shared/runtime/loop.ts'
import type { Settling } from './settling.ts'

const everyMs = 2000

/**
 * Gives names back soon after a plan has ended. Planning and opening settle the names that they wait for by themselves,
 * so this is for names without a request: one command each time while no plan is open.
 */
export function startSettling(settling: Settling, log: Logger): Loop {
  return startLoop({
    everyMs,
    turn: () => settling.settleEnded(),
    failed: (error) => log.warn({ err: toError(error) }, 'names could not be given back; it is tried again'),
  })
}
