import { join } from 'node:path'
import type { TestStack } from '../../support/services.ts'
import { cutOff, firstOf, freeze, killMachine } from './freeze.ts'
import { fillDisk, growDisk, makeRoomOn } from './full-disk.ts'
import type { Chapter, Page } from './histories.ts'
import { ask } from './support.ts'

/** What the chapter does to a machine or a link of the document that stands. */
export async function inflict(stack: TestStack, net: number, page: Page, { fault, at }: Chapter): Promise<void> {
  const vm = `db-shop-${at}`
  const hosts = Object.values(page.nodes).find((letters) => letters.includes(at))
  if (fault === 'none' || hosts === undefined) return
  const machines = join(stack.home, 'machines')
  if (fault === 'frozen') freeze(machines, vm)
  else if (fault === 'cut off') cutOff(machines, vm)
  else if (fault === 'killed') killMachine(machines, vm)
  else if (fault === 'disk full') await fillDisk(machines, vm)
  else if (fault === 'server ended') {
    const connection = await stack.provider.connect(vm, null)
    await connection.stop(10_000)
    connection.close()
  } else {
    const [name] = (await ask(net, hosts, 'SELECT subname FROM pg_subscription ORDER BY subname LIMIT 1')).flat()
    if (name !== undefined) await ask(net, hosts, `ALTER SUBSCRIPTION ${String(name)} DISABLE`)
  }
}

/** There is room again on all machines, while a plan is carried out. */
export async function growDisks(stack: TestStack): Promise<void> {
  await onEach(stack, growDisk)
}

/**
 * There is room again on all machines, and no plan is carried out. Answers whether the one of host `at` still had its
 * full disk: that is a file system of the test, which ends with the machine.
 */
export async function makeRoom(stack: TestStack, at: string): Promise<boolean> {
  const made = new Set<string>()
  await onEach(stack, async (machines, vm) => {
    if (await makeRoomOn(machines, vm)) made.add(vm)
  })
  return made.has(`db-shop-${at}`)
}

async function onEach(stack: TestStack, work: (machines: string, vm: string) => Promise<void>): Promise<void> {
  const machines = join(stack.home, 'machines')
  for (const { id } of await stack.provider.listVms()) {
    const first = runningAs(machines, id)
    if (first === null) continue
    try {
      await work(machines, id)
    } catch (error) {
      if (runningAs(machines, id) === first) throw error
    }
  }
}

/** The first process of a machine; null where it does not run. */
function runningAs(machines: string, vm: string): number | null {
  try {
    const first = firstOf(machines, vm)
    process.kill(first, 0)
    return first
  } catch {
    return null
  }
}
