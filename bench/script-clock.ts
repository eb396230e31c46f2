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

/** The script that took the most, and its milliseconds. */
export async function longestScript(redis: Redis): Promise<{ name: string; ms: number }> {
  const longest = Object.entries(await redis.hgetall(longestKey)).map(([name, ms]) => ({ name, ms: Number(ms) }))
  return longest.sort((a, b) => b.ms - a.ms)[0] ?? { name: 'none', ms: Number.NaN }
}
