/** What a change of primary means for clients of the node. */
export function switchOverText(node: string, from: string, to: string): string {
  return `${to} takes over from ${from}: no writes on ${node} for about 1 s, and sessions with ${from} end`
}

/**
 * What the start of a server means; `alone`: commits of its node wait for no other replica; `unsure`: it may
 * turn out not to be needed.
 */
export function restartText({
  node,
  server,
  primary,
  alone,
  unsure = false,
}: {
  node: string
  server: string
  primary: boolean
  alone: boolean
  unsure?: boolean
}): string {
  const once = unsure ? `${server} may restart once` : `${server} restarts once`
  if (primary) return `${once}: no writes on ${node} for about 1 s, and its sessions end`
  return alone ? `${once}: writes on ${node} wait for it, for about 1 s` : `${once}: only its own sessions end`
}
