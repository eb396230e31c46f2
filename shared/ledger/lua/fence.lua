-- Fences: put in front of every script that hands them out. A fence is never handed out twice and is larger than every
-- fence before it, whatever this Redis has forgotten:
--
--   fence = counter * 512 + a random number below 512, which the caller brings
--
-- One counter a deployment (or claimed resource). As long as Redis is the same process it counts by one. In a new
-- *life* it leaps: a Redis that was started again, restored or promoted has another run_id than the one that is
-- recorded beside the counter, and may have forgotten any number of fences. It leaps to Redis' clock (eighths of a
-- millisecond) and an hour ahead of that: no deployment begins 8,000 remodels a second, so the clock is ahead of
-- every counter of a life that was forgotten, though no process is left that has seen one, and clocks need not agree
-- to the minute. Where the recorded counter or one that the caller has seen is beyond that, because the clock was
-- set back, it leaps from there.
--
-- The run_id is read here and not by the client, because a command that a client sends again after it reconnected would
-- carry the run_id of the process before. The random part keeps two attempts apart where all of that fails: what
-- compares fences takes equal ones for the same attempt.
--
-- 2^53 has room for 2^44 counters: the clock until 2094. Numbers of 15 digits do not survive cjson.encode (it writes
-- 14): a fence leaves a script as text.
--
-- caller: {seed: integer, seen: the largest counter it has seen, session: drawn anew whenever its connection breaks}
local per_counter, counters = 512, 2 ^ 44

-- Nil where Redis does not tell (a managed one may not): then the caller's session stands for it.
local function life_of_redis()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or nil
end

-- Eighths of a millisecond: an hour and ten minutes.
local an_hour = 2 ^ 25

-- Eighths of a millisecond since 2025; a clock that is centuries off is not asked.
local function clock_counter()
  local time = redis.call('TIME')
  local eighths = (tonumber(time[1]) - 1735689600) * 8000 + math.floor(tonumber(time[2]) / 125)
  return eighths > 0 and eighths < counters - 2 ^ 40 and eighths or 0
end

-- The counter after `last`. `known`: this life of Redis has handed out fences of this counter before.
local function next_counter(last, known, seen, life)
  if known then return last + 1 end
  -- Where a connection's session stands for the life of Redis, there are many lives: they leap less far.
  local leap = life and an_hour or 2 ^ 20
  local ahead = clock_counter() + leap
  local highest = math.max(last, seen)
  return highest < ahead and ahead or highest + leap
end

local function fence_text(counter, seed)
  return string.format('%.0f', counter * per_counter + seed % per_counter)
end
