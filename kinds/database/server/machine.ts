import type { Connection } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { isFullDisk, spaceIn, spaceQuestion } from '../postgres/full-disk.ts'
import { place } from './place.ts'

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

/** Whether there is no room for what its server writes. */
export async function hasFullDisk(provider: Pick<Provider, 'connect'>, { vm }: Pick<Member, 'vm'>): Promise<boolean> {
  const connection = await provider.connect(vm, null)
  try {
    const { stdout } = await connection.exec(['/bin/sh', '-c', spaceQuestion(place.root)], { timeoutMs: answerMs })
    return isFullDisk(spaceIn(stdout.split('\n')))
  } finally {
    connection.close()
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
