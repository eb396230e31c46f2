import type { Provider } from '../../../shared/provider/provider.ts'

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
