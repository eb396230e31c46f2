import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../../runtime/errors.ts'
import type { Verb } from './helper.ts'

/** How the cloud misbehaves. Counts are used up by calls of any process that shares the directory. */
export interface Injection {
  /** How many calls fail with `infrastructure` and change nothing. */
  fail?: number
  /** How many calls are carried out, and their answer is lost: `infrastructure` all the same. */
  lose?: number
  /** Every call takes this much longer. 0 takes the delay away. */
  delayMs?: number
}

/**
 * Makes calls of `verb` fail or slow, for the VM or disk `id`, or for all. A failure is a file in `inject/`: the
 * process whose unlink succeeds has used it up, so a count is exact among many processes.
 */
export async function inject(directory: string, verb: Verb, injection: Injection, id = '*'): Promise<void> {
  const folder = join(directory, 'inject')
  await mkdir(folder, { recursive: true })
  for (const kind of ['fail', 'lose'] as const) {
    for (let n = injection[kind] ?? 0; n > 0; n--)
      await writeFile(join(folder, [verb, id, kind, randomUUID()].join('@')), '')
  }
  const delay = join(folder, [verb, id, 'delay'].join('@'))
  if (injection.delayMs === 0) await rm(delay, { force: true })
  else if (injection.delayMs !== undefined) await writeFile(delay, String(injection.delayMs))
}

/** Runs `change` as the injected cloud would. Costs one failed readdir where nothing is injected. */
export async function injected<T>(directory: string, verb: Verb, id: string, change: () => Promise<T>): Promise<T> {
  const folder = join(directory, 'inject')
  const names = await readdir(folder).catch(() => [])
  const mine = names.filter((name) => name.startsWith(`${verb}@${id}@`) || name.startsWith(`${verb}@*@`))
  for (const name of mine.filter((name) => name.endsWith('@delay'))) {
    await sleep(Number(await readFile(join(folder, name), 'utf8').catch(() => 0)))
  }
  if (await useUp(folder, mine, 'fail')) throw new RemodelError('infrastructure', `${verb} ${id}: an injected failure`)
  const result = await change()
  if (await useUp(folder, mine, 'lose'))
    throw new RemodelError('infrastructure', `${verb} ${id}: an injected lost answer`)
  return result
}

async function useUp(folder: string, names: string[], kind: 'fail' | 'lose'): Promise<boolean> {
  for (const name of names.filter((name) => name.includes(`@${kind}@`))) {
    const used = await unlink(join(folder, name)).then(
      () => true,
      () => false,
    )
    if (used) return true
  }
  return false
}
