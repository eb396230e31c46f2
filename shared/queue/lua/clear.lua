-- Makes room for publications: takes away what is left of jobs that no worker would be handed any more, so that
-- they can be added again.
--
-- BullMQ adds a job only where no hash of that id exists, and hands out only ids that are in a list. A queue that was
-- emptied in part breaks that up: a hash whose place in a list is gone swallows every later job of its id; a place
-- without a hash, or with what BullMQ writes into a missing hash when it moves it on, is handed out as a job without
-- data. This script looks at all that belongs to an id in one step, so no worker moves the job meanwhile. Active jobs
-- are left to BullMQ: a job whose lock runs out is moved back by its check for stalled jobs. A job that is active and
-- not claimed may have been handed to a worker whose connection broke before it heard of it: no lock of such a job
-- lasts longer than a holder needs to renew it.
--
-- KEYS[1] queue prefix, with the colon at its end   ARGV[1] due: 1 where the jobs should be at a worker by now, [2...] ids
--   due = 1: jobs that ended or are delayed go too, locks are shortened, and workers that sleep are woken
-- Answers the ids that were taken away.
local prefix, due = KEYS[1], ARGV[1] == '1'
local cleared, waiting = {}, false
-- A little more than the time between two renewals (shared/queue/locks.ts).
local unclaimed_ms = 6000

-- Where ids stand in lists, read when first needed: a list is as long as its queue, and most jobs need no look at it.
local places = {}
local function listed(list, id)
  if not places[list] then
    places[list] = {}
    for _, one in ipairs(redis.call('LRANGE', prefix .. list, 0, -1)) do places[list][one] = true end
  end
  return places[list][id]
end

local function has_place(id, ended)
  if ended then return redis.call('ZSCORE', prefix .. 'completed', id) or redis.call('ZSCORE', prefix .. 'failed', id) end
  if redis.call('ZSCORE', prefix .. 'delayed', id) then return not due end
  if redis.call('ZSCORE', prefix .. 'prioritized', id) or listed('wait', id) or listed('paused', id) then
    waiting = true
    return true
  end
  if not listed('active', id) then return false end
  if due then redis.call('PEXPIRE', prefix .. id .. ':lock', unclaimed_ms, 'LT') end
  return true
end

local function clear(id)
  for _, set in ipairs({ 'prioritized', 'delayed', 'completed', 'failed' }) do redis.call('ZREM', prefix .. set, id) end
  for _, list in ipairs({ 'wait', 'paused', 'active' }) do
    if listed(list, id) then redis.call('LREM', prefix .. list, 0, id) end
  end
  redis.call('SREM', prefix .. 'stalled', id)
  redis.call('DEL', prefix .. id, prefix .. id .. ':lock', prefix .. id .. ':logs')
end

for i = 2, #ARGV do
  local id = ARGV[i]
  local name, data, ended = unpack(redis.call('HMGET', prefix .. id, 'name', 'data', 'finishedOn'))
  if not (name and data and not (ended and due) and has_place(id, ended)) then
    clear(id)
    cleared[#cleared + 1] = id
  end
end
-- The mark by which sleeping workers are woken may be gone, too.
if due and waiting then redis.call('ZADD', prefix .. 'marker', 0, '0') end
return cleared
