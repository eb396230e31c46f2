import type { z } from 'zod'
import { RemodelError } from '../runtime/errors.ts'
import { formatPath, schemaFaults } from './document.ts'
import { schemaWords } from './schema-words.ts'

/**
 * What a caller has sent, by a schema. Throws `invalid-input` with `sentence`, and with field, what was found and what
 * is allowed in our words.
 */
export function readInput<Schema extends z.ZodType>(schema: Schema, data: unknown, sentence: string): z.output<Schema> {
  const result = schema.safeParse(data, { reportInput: true, error: schemaWords })
  if (result.success) return result.data
  const faults = schemaFaults(schema, result.error.issues, (path, message, more) => ({
    ...(path.length > 0 ? { path: formatPath(path) } : {}),
    message,
    ...more,
  }))
  throw new RemodelError('invalid-input', sentence, { faults })
}
