import { join } from 'node:path'
import type { TestStack } from '../../support/services.ts'
import { cutOff, freeze, killMachine } from './freeze.ts'
import type { Chapter, Page } from './histories.ts'
import { ask } from './support.ts'

const filler = '/var/vcap/store/filler'

/** What the chapter does to a machine or a link of the document that stands. */
export async function inflict(stack: TestStack, net: number, page: Page, { fault, at }: Chapter): Promise<void> {
  const vm = `db-shop-${at}`
  const hosts = Object.values(page.nodes).find((letters) => letters.includes(at))
  if (fault === 'none' || hosts === undefined) return
  const machines = join(stack.home, 'machines')
  if (fault === 'frozen') freeze(machines, vm)
  else if (fault === 'cut off') cutOff(machines, vm)
  else if (fault === 'killed') killMachine(machines, vm)
  else if (fault === 'disk full') await onMachine(stack, vm, `head -c 4G /dev/zero > ${filler} 2>/dev/null; true`)
  else if (fault === 'server ended') {
    const connection = await stack.provider.connect(vm, null)
    await connection.stop(10_000)
    connection.close()
  } else {
    const [name] = (await ask(net, hosts, 'SELECT subname FROM pg_subscription ORDER BY subname LIMIT 1')).flat()
    if (name !== undefined) await ask(net, hosts, `ALTER SUBSCRIPTION ${String(name)} DISABLE`)
  }
}

/** There is room again on all machines. */
export async function makeRoom(stack: TestStack): Promise<void> {
  for (const { id, state } of await stack.provider.listVms()) {
    if (state === 'running') await onMachine(stack, id, `rm -f ${filler}`)
  }
}

async function onMachine(stack: TestStack, vm: string, script: string): Promise<void> {
  const connection = await stack.provider.connect(vm, null)
  try {
    await connection.exec(['/bin/sh', '-c', script], { timeoutMs: 60_000 })
  } finally {
    connection.close()
  }
}
