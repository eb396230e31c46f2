import type { Connection } from '../../shared/provider/connection.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

/** Runs a shell script on the machine; anything but exit 0 is the infrastructure's fault. */
export async function shell(
  connection: Connection,
  script: string,
  args: readonly string[] = [],
  signal?: AbortSignal,
): Promise<string> {
  const result = await connection.exec(['/bin/sh', '-euc', script, 'sh', ...args], signal ? { signal } : {})
  if (result.exitCode !== 0) {
    throw new RemodelError(
      'infrastructure',
      `a command on the machine failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
      {
        details: { script, exitCode: result.exitCode, log: result.stderr },
      },
    )
  }
  return result.stdout
}
