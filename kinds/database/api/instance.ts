import type { z } from 'zod'
import { Instance } from '../../../shared/api/schemas/instance.ts'
import { DatabaseServer } from './server.ts'

/** What a database adds to an instance: what its server says of itself now. */
export const instanceFields = { database: DatabaseServer.optional() }

export const DatabaseInstance = Instance.extend(instanceFields)
export type DatabaseInstance = z.infer<typeof DatabaseInstance>
