-- The way from the ledger to the queues. The ledger keeps the backlog, queues stay shallow: of each plan and queue no
-- more than an allowance is published at a time, what goes first by rank; claims make room for the next.

-- How much of one plan may be published in one queue unless the planner says otherwise.
local usual_allowance = 64
-- The limits of one announcement, in bytes and remodels; the rest is fetched (advance.lua).
local announced_bytes, announced_items = 32768, 64
-- Bytes that this script has handed out.
local bytes = 0

-- plan -> queue -> true: backlog or publications changed.
local changed = {}
-- plan -> milliseconds until the soonest that waits for its time.
local soon = {}

local function changes(plan, queue)
  changed[plan] = changed[plan] or {}
  changed[plan][queue] = true
end

-- The heaviest first, else in the order of the plan.
local function rank(n)
  return n.n - math.floor(n.x or 0) * 2097152
end

local function release(plan, id, delay)
  spent = spent + 1
  local n = node(plan, id)
  -- Another release needs a name of its own: a job of the last one may still be kept.
  local text = redis.call('HGET', key(plan, 'runs'), id)
  if text then
    local run = cjson.decode(text)
    run.releases = run.releases + 1
    run.looks = nil
    redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  end
  put_state(plan, id, 'released')
  if delay and delay > 0 then
    redis.call('ZADD', key(plan, 'later'), clock + delay, id)
    soon[plan] = math.min(soon[plan] or delay, delay)
  else
    redis.call('ZADD', key(plan, 'backlog:' .. n.q), rank(n), id)
  end
  changes(plan, n.q)
end

-- Takes a released remodel out of the outlet: it is claimed, or settled.
local function withdraw(plan, id, n)
  changes(plan, n.q)
  if redis.call('ZREM', key(plan, 'published:' .. n.q), id) == 1 then return end
  if redis.call('ZREM', key(plan, 'backlog:' .. n.q), id) == 1 then return end
  redis.call('ZREM', key(plan, 'later'), id)
end

-- Moves what has waited for its time into the backlog.
local function ripen(plan)
  local state, forced = plan_state(plan)
  if state == 'parked' or forced then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'later'), '-inf', clock, 'LIMIT', 0, 100)) do
    local n = node(plan, id)
    redis.call('ZREM', key(plan, 'later'), id)
    if state_of(plan, id) == 'waiting' then put_state(plan, id, 'released') end
    redis.call('ZADD', key(plan, 'backlog:' .. n.q), rank(n), id)
    changes(plan, n.q)
  end
end

local function allowance(plan, queue)
  return tonumber(redis.call('HGET', base .. ':plan:' .. plan, 'allow:' .. queue) or usual_allowance)
end

-- Moves the first of the backlog to what is published, as far as the allowance and `items` go, and adds it to `out`.
-- Answers whether more could be moved.
--
-- Remodels that a stopping plan may not begin any more are only taken off the backlog: the task that stops
-- the plan skips them. On the queue, each would cost workers a journey and a claim that is refused, before
-- the cleanup behind it.
local function publish(plan, queue, out, items)
  local backlog, published = key(plan, 'backlog:' .. queue), key(plan, 'published:' .. queue)
  local there = redis.call('ZCARD', published)
  local room = allowance(plan, queue) - there
  if room <= 0 then return false end
  local stops, left = plan_state(plan) ~= 'running', math.min(room, items)
  local looked = stops and items or left
  local ids = redis.call('ZRANGE', backlog, 0, looked - 1)
  for _, id in ipairs(ids) do
    if left == 0 then return false end
    if not stops or may_begin(plan, id) then
      local item = { plan = plan, remodel = id, queue = queue, release = run_of(plan, id).releases, weight = node(plan, id).x or 0,
        ahead = there }
      bytes = bytes + #cjson.encode(item)
      if bytes > announced_bytes and #out > 0 then return true end
      redis.call('ZADD', published, clock, id)
      there, room, left = there + 1, room - 1, left - 1
      out[#out + 1] = item
    end
    redis.call('ZREM', backlog, id)
  end
  return #ids == looked and room > 0 and redis.call('ZCARD', backlog) > 0
end

-- Announces what may be published now. A queue is filled up again when half of its allowance is used up: publishing is
-- cheaper in numbers. `more` asks a planner to call advance.lua: there is more to publish, or to work off.
local function announce()
  local released, more, due = {}, false, nil
  for plan, queues in pairs(changed) do
    for queue in pairs(queues) do
      local there = redis.call('ZCARD', key(plan, 'published:' .. queue))
      if there * 2 <= allowance(plan, queue) and publish(plan, queue, released, announced_items) then more = true end
    end
  end
  local current = redis.call('HGET', base .. ':lock', 'plan')
  if not current then return end
  if redis.call('EXISTS', key(current, 'todo')) == 1 then more = true end
  due = soon[current]
  if #released == 0 and not more and not due then return end
  redis.call('PUBLISH', channel, cjson.encode({ base = base, plan = current, released = #released > 0 and released or nil, more = more, due = due }))
end
