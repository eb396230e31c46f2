import { Redis } from 'ioredis'

/** Hash: name of a script -> the most milliseconds of the processor that one run of it took. */
const longestKey = 'bench:longest-scripts'

/**
 * Imported ahead of a process, also of a service (`--import`), it makes every script that the process defines note what
 * it took. It goes by the clock of Redis' own process: what other processes and the host of a virtual machine take
 * away meanwhile, pauses of tens of milliseconds, is no cost of a script.
 */
const defineCommand = Redis.prototype.defineCommand
Redis.prototype.defineCommand = function (name, definition) {
  const lua = `local function script() ${definition.lua}
end
local function spent()
  local info, ms = redis.call('INFO', 'cpu'), 0
  for seconds in string.gmatch(info, 'used_cpu_%a+_main_thread:([%d.]+)') do ms = ms + tonumber(seconds) * 1000 end
  return ms
end
local began = spent()
local answer = script()
local took = spent() - began
if took > tonumber(redis.call('HGET', '${longestKey}', '${name}') or '0') then
  redis.call('HSET', '${longestKey}', '${name}', tostring(took))
end
return answer`
  return defineCommand.call(this, name, { ...definition, lua })
}

/** Of each script the milliseconds of the run that took the most. */
export async function longestRuns(redis: Redis): Promise<Map<string, number>> {
  const longest = Object.entries(await redis.hgetall(longestKey))
  return new Map(longest.map(([name, ms]) => [name, Number(ms)]))
}

const control = 'bench_control'

/**
 * A script of 1,000 reads of nothing, 5,000 times. Answers the most milliseconds that one run took. What is more than
 * one or two of them is the machine's, and other scripts get the same.
 */
export async function longestControl(redis: Redis): Promise<number> {
  const lua = "for i = 1, 1000 do redis.call('HGET', KEYS[1], i) end"
  redis.defineCommand(control, { numberOfKeys: 1, lua })
  const run = (redis as unknown as Record<string, (key: string) => Promise<unknown>>)[control]!.bind(redis)
  for (let i = 0; i < 5000; i++) await run('bench:nothing')
  return (await longestRuns(redis)).get(control) ?? Number.NaN
}
