import { numberSetting } from '../../shared/runtime/settings.ts'
import type { IdlePolicy } from './pool.ts'

/**
 * Which idle compile VMs are kept: REMODEL_COMPILE_KEEP_SECONDS says for how long (60), REMODEL_COMPILE_KEEP how many
 * of them once nothing waits to be compiled (2). With 0 seconds none are made ahead either. Throws `invalid-input`.
 */
export function idlePolicy(env: NodeJS.ProcessEnv = process.env): IdlePolicy {
  return {
    ms: 1000 * numberSetting('REMODEL_COMPILE_KEEP_SECONDS', env),
    count: numberSetting('REMODEL_COMPILE_KEEP', env),
    tailMs: 5000,
  }
}
