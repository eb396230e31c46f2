import type { Connection } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'

const answerMs = 5000

/** Whether a machine runs a command. One that is frozen, or cut off, does not. */
export async function doesAnswer(provider: Pick<Provider, 'connect'>, vm: string): Promise<boolean> {
  try {
    const connection = await provider.connect(vm, null)
    try {
      return (await connection.exec(['true'], { timeoutMs: answerMs })).exitCode === 0
    } finally {
      connection.close()
    }
  } catch {
    return false
  }
}

/** Work on a server's machine, under the fence of the remodel. */
export async function onMachine<T>(
  { provider, fence }: Pick<StepContext, 'provider' | 'fence'>,
  { vm }: Pick<Member, 'vm'>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await provider.connect(vm, fence)
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}
