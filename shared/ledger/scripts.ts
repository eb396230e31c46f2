import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type FenceSource, fenceLua } from './fences.ts'

/** The ledger's Lua scripts: one file each under `lua/`, every one preceded by the shared ones. */
const scriptNames = [
  'store',
  'refresh',
  'open',
  'resume',
  'claim',
  'complete',
  'advance',
  'expire',
  'clock',
  'cancel',
  'decide',
  'mend',
  'forget',
  'unreserve',
  'archive',
  'paid',
  'verdict',
  'healing',
] as const
export type ScriptName = (typeof scriptNames)[number]

const sharedParts = ['base', 'agenda', 'outlet', 'windows', 'attempts', 'graph', 'waits', 'park'] as const

const file = (name: string) => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
const sources = new Map<ScriptName, string>()

function scriptSource(name: ScriptName): string {
  const known = sources.get(name)
  if (known !== undefined) return known
  const source = [fenceLua, ...[...sharedParts, name].map(file)].join('\n')
  sources.set(name, source)
  return source
}

type Command = (base: string, channel: string, ...argv: (string | number)[]) => Promise<string>
type Raw = (base: string, ...argv: (string | number)[]) => Promise<string>

/**
 * Runs scripts by digest, each working off about `slice` remodels; ioredis sends the source again where Redis does not
 * know it (restart, SCRIPT FLUSH).
 */
export function scriptsOn(
  redis: Redis,
  { fences, slice, parkAfterMs }: { fences: FenceSource; slice: number; parkAfterMs: number },
): Record<ScriptName, Command> {
  const commands = {} as Record<ScriptName, Command>
  for (const name of scriptNames) {
    const command = `ledger_${name}`
    redis.defineCommand(command, { numberOfKeys: 1, lua: `local slice = ${slice}\n${scriptSource(name)}` })
    commands[name] = (base, channel, ...argv) =>
      (redis as unknown as Record<string, Raw>)[command]!(
        base,
        JSON.stringify({ channel, parkAfterMs, ...fences.caller() }),
        ...argv,
      )
  }
  return commands
}
