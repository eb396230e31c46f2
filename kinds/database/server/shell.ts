import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** As `shell` of instances, with input. */
export async function shell(
  connection: Connection,
  script: string,
  input: { signal?: AbortSignal; stdin?: string | Uint8Array } = {},
): Promise<string> {
  const result = await connection.exec(['/bin/sh', '-euc', script], input)
  if (result.exitCode === 0) return result.stdout
  const last = result.stderr.trim().split('\n').at(-1) ?? ''
  throw new RemodelError('infrastructure', `a command on the machine failed: ${last}`, {
    details: { script, exitCode: result.exitCode, log: result.stderr },
  })
}
