import { RemodelError } from '../../runtime/errors.ts'
import type { Fence } from '../provider.ts'

/** Ids become names of files, sockets and hosts. Throws `invalid-input`. */
export function checkId(kind: string, id: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(id)) return
  throw new RemodelError(
    'invalid-input',
    `${JSON.stringify(id)} is no ${kind} id: up to 80 letters, digits, dots, dashes and underscores, a letter or digit first`,
  )
}

/** A scope is one line of a fence file; the number is exact in both worlds. Throws `invalid-input`. */
export function checkFence(fence: Fence | null): void {
  if (fence === null) return
  const { scope, number } = fence
  const fits = scope.length > 0 && Buffer.byteLength(scope) <= 1000 && !/[\0\n]/.test(scope)
  if (fits && Number.isSafeInteger(number) && number >= 0) return
  throw new RemodelError('invalid-input', `not a fence: ${JSON.stringify(fence)}`)
}

/**
 * A mount as the agent reads it. Throws `invalid-input`: anywhere else than below `/var/vcap` it could
 * cover what is not the VM's.
 */
export function mountLine({ source, target }: { source: string; target: string }): string {
  const fits = [source, target].every(
    (path) => path.startsWith('/') && path.length < 4000 && !/[\t\n]|\/\.\.?(\/|$)/.test(path),
  )
  if (fits && target.startsWith('/var/vcap/')) return `${source}\t${target}\n`
  throw new RemodelError('invalid-input', `not a mount: ${JSON.stringify({ source, target })}`)
}
