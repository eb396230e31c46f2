-- Reads the clock of a deployment, or sets it right after Redis' own was set: by the planner that noticed, once.
--
-- Times written between the step and its notice are those of a wrong clock. So a remodel that would wait for hours
-- looks again soon, which is harmless, and one that would be late at once gets its full time again.
--
-- KEYS[1] base   ARGV[1] channel, and to set it: [2] the shift that was read, [3] the shift it should be
-- Answers {now, shift, opened?: what it was when the running plan was opened} | {set: whether this call set it}
local soonest, most = 5000, 1000

local function mend(plan)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'later'), clock + soonest, '+inf', 'LIMIT', 0, most)) do
    redis.call('ZADD', key(plan, 'later'), clock + soonest, id)
  end
  for _, queue in ipairs(cjson.decode(redis.call('HGET', base .. ':plan:' .. plan, 'queues') or '[]')) do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'published:' .. queue), clock + 1, '+inf', 'LIMIT', 0, most)) do
      redis.call('ZADD', key(plan, 'published:' .. queue), clock, id)
    end
  end
  -- No deadline is further away than all of its time. A remodel past its point of no return has none; a gate
  -- looks at Redis' clock too.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'running'), '-inf', '+inf', 'LIMIT', 0, most)) do
    local run, deadline = run_of(plan, id), clock + node(plan, id).t * 1000
    local at = tonumber(redis.call('ZSCORE', key(plan, 'running'), id))
    if not run.noReturn and node(plan, id).g ~= 'gate' and (at <= clock or at > deadline) then
      if run.deadline then
        run.deadline = deadline
        redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
      end
      redis.call('ZADD', key(plan, 'running'), deadline, id)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'waits'), '-inf', '+inf', 'LIMIT', 0, most)) do
    local run, deadline = run_of(plan, id), clock + node(plan, id).t * 1000
    local at = tonumber(redis.call('ZSCORE', key(plan, 'waits'), id))
    if at <= clock or at > deadline then
      run.waits.deadline = deadline
      redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
      redis.call('ZADD', key(plan, 'waits'), deadline, id)
    end
  end
end

if not ARGV[2] then
  local opened = redis.call('HGET', base .. ':lock', 'clock')
  return cjson.encode({ now = string.format('%.0f', clock), shift = string.format('%.0f', shift), opened = opened or nil })
end
if tonumber(ARGV[2]) ~= shift then return cjson.encode({ set = false }) end
redis.call('HSET', base .. ':meta', 'shift', ARGV[3])
clock = wall + tonumber(ARGV[3])
local plan = redis.call('HGET', base .. ':lock', 'plan')
if plan and plan_state(plan) then mend(plan) end
for _, parked in ipairs(redis.call('ZRANGE', base .. ':parked', 0, -1)) do
  mend(parked)
  redis.call('ZADD', base .. ':parked', clock + soonest, parked)
end
return cjson.encode({ set = true })
