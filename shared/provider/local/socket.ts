import { type FileHandle, open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'

/**
 * Connects to the agent of a VM. The address goes through an open directory: a socket's own path may have 107 bytes, a
 * provider's directory may be deeper. Rejects with the error of the system.
 */
export async function dial(directory: string, id: string): Promise<Socket> {
  const folder: FileHandle = await open(join(directory, 'vms', id), 'r')
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = connect({ path: `/proc/self/fd/${folder.fd}/agent.sock`, allowHalfOpen: false })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        // The agent may go before the caller listens; an error without a listener would end this process.
        socket.on('error', () => {})
        resolve(socket)
      })
    })
  } finally {
    await folder.close()
  }
}

/** True while a process holds the agent's socket open, a frozen one too: the kernel closes it when the agent ends. */
export async function listens(directory: string, id: string): Promise<boolean> {
  try {
    const socket = await dial(directory, id)
    socket.on('error', () => {})
    socket.destroy()
    return true
  } catch (error) {
    // A full backlog: it is there, and does not come round to accept.
    return (error as NodeJS.ErrnoException).code === 'EAGAIN'
  }
}
