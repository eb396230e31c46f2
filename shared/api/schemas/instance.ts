import { z } from 'zod'

/** An instance as tables show it. A kind may add fields of its own (`Kind.instanceFields`). */
export const Instance = z.object({
  instance: z.string(),
  az: z.string().nullable(),
  addresses: z.array(z.string()),
  vm: z.string().nullable(),
  stemcell: z.string().nullable(),
  /** `running`, `failing`, `stopped`, `unresponsive`, `missing`. */
  state: z.string(),
  processes: z.array(z.object({ name: z.string(), state: z.string(), uptimeMs: z.number(), restarts: z.int() })),
  disk: z.string().nullable(),
  /** What a person wants of it: `ignored`, `stopped`. */
  intents: z.array(z.string()),
})
export type Instance = z.infer<typeof Instance>

export const ExecRequest = z.strictObject({
  argv: z.array(z.string()).min(1),
  timeoutSeconds: z.number().positive().default(60),
})

export const ExecResponse = z.object({ exitCode: z.int().nullable(), stdout: z.string(), stderr: z.string() })

export const LogsResponse = z.object({
  files: z.array(z.object({ path: z.string(), content: z.string() })),
  /** Given as `after`, the next answer has what was written since. */
  next: z.string(),
})
