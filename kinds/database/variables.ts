import { z } from 'zod'
import type { NumberVariable } from '../../shared/runtime/settings.ts'
import type { TextVariable } from '../../shared/runtime/text-settings.ts'

/** What this kind reads of the environment. */
export const numbers = {
  REMODEL_ARCHIVE_SECONDS: {
    readBy: 'assembler',
    allowed: z
      .number()
      .gt(0)
      .max(365 * 24 * 3600),
    unset: 60,
    words: 'a number of seconds above 0, up to a year',
    unit: 'seconds',
    what: 'the maximum delay between writing a row of a database with `backup_config` and its copy in the blobstore',
  },
} as const satisfies Record<string, NumberVariable>

export const texts: Readonly<Record<string, TextVariable>> = {
  REMODEL_POSTGRES: { readBy: 'assembler', type: 'directory', what: "PostgreSQL's binaries, for the kind `database`" },
}
