import { setTimeout as sleep } from 'node:timers/promises'
import { startServices, type TestStack } from '../support/services.ts'

/** One Remodel with real machines for all cases that need it, started with the first of them. */
export class Machines {
  #stack: Promise<TestStack> | undefined

  stack(): Promise<TestStack> {
    this.#stack ??= start()
    return this.#stack
  }

  async close(): Promise<void> {
    await (await this.#stack)?.stop()
  }
}

async function start(): Promise<TestStack> {
  // Compile VMs are not kept, so that it shows when one cannot be taken away.
  const stack = await startServices({ planner: 1, compiler: 2, assembler: 1 }, { REMODEL_COMPILE_KEEP_SECONDS: '1' })
  await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
  return stack
}

/** Waits for a state; throws with `complaint` where it does not come. */
export async function until(reached: () => Promise<boolean>, complaint: string, limitMs = 120_000): Promise<void> {
  for (const end = performance.now() + limitMs; !(await reached()); await sleep(100)) {
    if (performance.now() > end) throw new Error(complaint)
  }
}
