import { RemodelError } from '../../shared/errors.ts'
import type { KeepRule } from './pool.ts'

/**
 * Which idle compile VMs are kept: REMODEL_COMPILE_KEEP_SECONDS says for how long (60), REMODEL_COMPILE_KEEP how many of
 * them once nothing waits to be compiled (2). With 0 seconds none are made ahead either. Throws `invalid-input`.
 */
export function keepRule(env: NodeJS.ProcessEnv = process.env): KeepRule {
  const ms = 1000 * numberOf(env, 'REMODEL_COMPILE_KEEP_SECONDS', 60)
  return { ms, count: numberOf(env, 'REMODEL_COMPILE_KEEP', 2), tailMs: 5000 }
}

function numberOf(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const value = Number(env[name] || otherwise)
  if (Number.isFinite(value) && value >= 0) return value
  throw new RemodelError('invalid-input', `${name} is ${env[name]}, should be a number from 0 on`)
}
