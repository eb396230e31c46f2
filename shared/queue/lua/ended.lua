-- Writes down jobs that ended without having been on their queue: what a worker took along with the job that it was handed. They
-- stand on Bull Board under their own outcome, as BullMQ would have left them. No worker is ever handed one of them.
--
-- A job may have been published all the same and wait: it is taken off and ends here, so that no worker comes for nothing. One
-- that a worker has in hand is left alone, and this outcome stands under a name of its own beside it.
--
-- KEYS[1] queue prefix, with the colon at its end   ARGV[1] how many of each state are kept, then for each job its id, its state
--   (completed | failed), the reason or the returned value, finishedOn, the end of its log or '', the number of its further
--   fields, and those: name, value
local prefix, kept = KEYS[1], tonumber(ARGV[1])

local function drop(id)
  redis.call('DEL', prefix .. id, prefix .. id .. ':lock', prefix .. id .. ':logs')
end

local i = 2
while i <= #ARGV do
  local id, state, text, finished, log, fields = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], tonumber(ARGV[i + 5])
  if redis.call('EXISTS', prefix .. id) == 1 and redis.call('ZREM', prefix .. 'prioritized', id) == 0 then id = id .. '.along' end
  drop(id)
  redis.call('HSET', prefix .. id, unpack(ARGV, i + 6, i + 5 + fields))
  redis.call('HSET', prefix .. id, 'finishedOn', finished, state == 'failed' and 'failedReason' or 'returnvalue', text)
  if log ~= '' then redis.call('RPUSH', prefix .. id .. ':logs', log) end
  redis.call('ZADD', prefix .. state, finished, id)
  i = i + 6 + fields
end
for _, state in ipairs({ 'completed', 'failed' }) do
  for _, id in ipairs(redis.call('ZREVRANGE', prefix .. state, kept, -1)) do
    drop(id)
    redis.call('ZREM', prefix .. state, id)
  end
end
