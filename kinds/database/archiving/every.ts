import { numberSetting } from '../../../shared/runtime/settings.ts'
import type { Sealing } from './ship.ts'

/** At the latest so long after it was written is a row archived, in milliseconds. */
export const archiveEveryMs = () => numberSetting('REMODEL_ARCHIVE_SECONDS') * 1000

/** For a step that needs everything that is written up to now. */
export const always = (): Sealing => ({ due: () => true, everyMs: archiveEveryMs() })
