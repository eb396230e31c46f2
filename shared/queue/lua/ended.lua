-- Writes down jobs that ended without having been on their queue: what a worker took along with the job that
-- it was handed. They stand on Bull Board under their own outcome, as BullMQ would have left them. No worker
-- is ever handed one of them.
--
-- A job may have been published all the same and wait: it is taken off and ends here, so that no worker comes for
-- nothing. One that a worker is carrying out is left alone, and this outcome gets a name of its own beside it. One that
-- has ended says itself what the ledger knows of it.
--
-- KEYS[1] queue prefix, with the colon at its end   ARGV[1] how many of each state are kept, then for each job its id, its state
--   (completed | failed), finishedOn, the end of its log or '', how many words its fields take, and those: name, value
local prefix, kept = KEYS[1], tonumber(ARGV[1])

local function show(id, state, finished, log, first, last)
  redis.call('HSET', prefix .. id, unpack(ARGV, first, last))
  if log ~= '' then redis.call('RPUSH', prefix .. id .. ':logs', log) end
  redis.call('ZADD', prefix .. state, finished, id)
end

local i = 2
while i <= #ARGV do
  local id, state, finished, log, words = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  local key, isSeen = prefix .. id, true
  if redis.call('EXISTS', key) == 1 then
    if redis.call('ZREM', prefix .. 'prioritized', id) == 1 then redis.call('DEL', key, key .. ':lock', key .. ':logs')
    elseif redis.call('HEXISTS', key, 'finishedOn') == 1 then isSeen = false
    else id = id .. '.along' end
  end
  if isSeen then show(id, state, finished, log, i + 5, i + 4 + words) end
  i = i + 5 + words
end
for _, state in ipairs({ 'completed', 'failed' }) do
  local surplus = redis.call('ZCARD', prefix .. state) - kept
  if surplus > 0 then
    local gone = redis.call('ZRANGE', prefix .. state, 0, math.min(surplus, 500) - 1)
    local keys = {}
    for _, id in ipairs(gone) do
      keys[#keys + 1] = prefix .. id
      keys[#keys + 1] = prefix .. id .. ':lock'
      keys[#keys + 1] = prefix .. id .. ':logs'
    end
    redis.call('UNLINK', unpack(keys))
    redis.call('ZREM', prefix .. state, unpack(gone))
  end
end
