import { z } from 'zod'

/**
 * Who asks for something: in orders, locks, plans and events. Each edge (HTTP, the queue `deploys`, the planner itself)
 * makes one from what it knows of its caller, and everything behind the edge passes it on as it is.
 */
export const Actor = z.object({
  /** `token`: the caller has shown the planner's token; what else is known of it, it says of itself. */
  kind: z.enum(['person', 'token', 'caretaker', 'service']),
  name: z.string().min(1).max(300),
  /** How the request came in; `unknown`: it was recorded by a version that did not say. */
  via: z.enum(['cli', 'http', 'board', 'queue', 'unknown']),
})
export type Actor = z.infer<typeof Actor>

/** For people: `ann@laptop (cli)`, `service ci (queue)`. `base.lua` writes the same into events. */
export function actorText({ kind, name, via }: Actor): string {
  return `${kind === 'person' ? '' : `${kind} `}${name}${via === 'unknown' ? '' : ` (${via})`}`
}

/** An actor as Redis has it. What is no JSON of one is the free text of a version before. */
export function readActor(text: string): Actor {
  const legacy: Actor = { kind: 'person', name: text || '?', via: 'unknown' }
  if (!text.startsWith('{')) return legacy
  try {
    return Actor.safeParse(JSON.parse(text)).data ?? legacy
  } catch {
    return legacy
  }
}
