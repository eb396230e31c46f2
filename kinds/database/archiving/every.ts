import { numberSetting } from '../../../shared/runtime/settings.ts'
import { numbers } from '../variables.ts'
import type { Sealing } from './ship.ts'

/** Maximum delay, in milliseconds, between writing a row and archiving it. */
export const archiveEveryMs = () => numberSetting('REMODEL_ARCHIVE_SECONDS', process.env, numbers) * 1000

/** For a step that needs everything that is written up to now. */
export const always = (): Sealing => ({ due: () => true, everyMs: archiveEveryMs() })
