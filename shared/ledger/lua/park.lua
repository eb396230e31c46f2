-- Parked plans. A plan that does nothing but wait, for a person or for longer than a moment, gives the
-- deployment's lock back: a repair or another deploy may go in between. Its remodels stay as they are meanwhile,
-- and none of them is released.
--
--   running  -- all that is in work waits: an approval, a gate, or a step that has waited for a minute -->  parked
--   parked   -- a look or a deadline is due, a person decides or cancels, and the lock is free: take_up -->  running
--   parked   -- another plan has begun something: supersede -->  cancelling, by force -->  cancelled
--
-- Whatever another plan begins moves the floorplan's version, so the version says whether all is as it was. A look that
-- finds the same wait again does not move it: a plan that is drawn meanwhile may be opened between two looks.
--
--   :parked             zset    plan that is open without the lock -> time from which it wants it
--   :plan:<p> parked    JSON {on, since, floorplan, lock: {id, holder, message}}; kept while it looks

-- More that waits at once is not looked through in one script.
local most_waits = 1000

local waits_for = { approve = 'an approval: ', gate = 'the moment to ' }

local function waits_in(plan, part)
  local found, at = redis.call('ZRANGE', key(plan, part), 0, most_waits, 'WITHSCORES'), {}
  local ids = {}
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    at[found[i]] = tonumber(found[i + 1])
  end
  if #ids > most_waits then return end
  if #ids > 0 then
    for _, state in ipairs(redis.call('HMGET', key(plan, 'state'), unpack(ids))) do
      if state ~= 'waiting' then return end
    end
  end
  return ids, at
end

local function is_handed_out(plan)
  for _, queue in ipairs(cjson.decode(redis.call('HGET', base .. ':plan:' .. plan, 'queues') or '[]')) do
    if redis.call('EXISTS', key(plan, 'backlog:' .. queue), key(plan, 'published:' .. queue)) > 0 then return true end
  end
  return redis.call('EXISTS', key(plan, 'todo')) == 1
end

-- The wait of a plan and its end; nil where it has something to do.
local function idle(plan)
  local approvals, deadlines = waits_in(plan, 'running')
  if not approvals then return end
  local steps, looks = waits_in(plan, 'later')
  if not steps or #approvals + #steps == 0 or is_handed_out(plan) then return end
  local on, due = {}, math.huge
  for _, id in ipairs(approvals) do
    on[#on + 1] = waits_for[node(plan, id).g] .. cjson.decode(redis.call('HGET', key(plan, 'remodels'), id)).title
    due = math.min(due, deadlines[id])
  end
  for i, text in ipairs(#steps > 0 and redis.call('HMGET', key(plan, 'runs'), unpack(steps)) or {}) do
    local run, at = cjson.decode(text), looks[steps[i]]
    if run.noReturn or (wall - run.waits.since < caller.parkAfterMs and at - clock < caller.parkAfterMs) then return end
    on[#on + 1] = run.waits.on
    due = math.min(due, at, run.waits.deadline or math.huge)
  end
  if due <= clock then return end
  local more = #on > 1 and ' and ' .. (#on - 1) .. ' more' or ''
  return { on = first_of(on[1], 1024) .. more, due = due }
end

-- Gives the lock back where the plan that holds it only waits.
park_if_idle = function(plan)
  local state, _, has_waited = plan_state(plan)
  if state ~= 'running' or not has_waited or redis.call('HGET', base .. ':lock', 'plan') ~= plan then return end
  local waits = idle(plan)
  if not waits then return end
  local meta = base .. ':plan:' .. plan
  local text = redis.call('HGET', meta, 'parked')
  local before = text and cjson.decode(text)
  local is_news = not before or before.on ~= waits.on
  local held = redis.call('HMGET', base .. ':lock', 'id', 'holder', 'message')
  put_plan_state(plan, 'parked', 'parked', cjson.encode({
    on = waits.on,
    since = is_news and wall or before.since,
    floorplan = redis.call('HGET', base .. ':meta', 'floorplan') or '0',
    lock = { id = held[1], holder = held[2], message = held[3] },
  }))
  redis.call('ZADD', base .. ':parked', waits.due, plan)
  if is_news then event({ type = 'plan.parked', plan = plan, message = waits.on }) end
  unlock()
end

-- Another plan has changed what a parked one was drawn on: nothing of it is carried out any more, cleanup neither.
local function supersede(plan, why)
  local other = redis.call('HGET', base .. ':meta', 'opened')
  local by = other and other ~= plan and 'plan ' .. other or 'another plan'
  local message = why or (by .. ' has begun work since this one was parked: what it was drawn on may not hold any more')
  local id = waits_in(plan, 'running')
  id = id and id[1] or redis.call('ZRANGE', key(plan, 'later'), 0, 0)[1] or ''
  event({ type = 'plan.cancelling', plan = plan, message = message })
  redis.call('RPUSH', key(plan, 'errors'), cjson.encode({ remodel = id, code = 'superseded', message = message }))
  put_plan_state(plan, 'cancelling', 'forced', 1, 'cancelledAt', clock)
  work(plan, 'force', 0)
end

local function is_superseded(plan)
  local parked = cjson.decode(redis.call('HGET', base .. ':plan:' .. plan, 'parked'))
  return (redis.call('HGET', base .. ':meta', 'floorplan') or '0') ~= parked.floorplan
end

-- Takes the lock again for a parked plan; for a person (`at_once`) also ahead of those that stand in line. Answers
-- running | held: another plan has the deployment | superseded.
local function take_up(plan, at_once)
  if is_superseded(plan) then
    supersede(plan)
    return 'superseded'
  end
  local lock = base .. ':lock'
  local holder = redis.call('HGET', lock, 'plan')
  if holder and not plan_state(holder) then unlock() end
  if redis.call('EXISTS', lock) == 1 or (not at_once and first_in_line()) then return 'held' end
  raise_fence()
  local of = cjson.decode(redis.call('HGET', base .. ':plan:' .. plan, 'parked')).lock
  redis.call('HSET', lock, 'id', of.id, 'plan', plan, 'holder', of.holder, 'since', wall, 'message', of.message,
    'clock', string.format('%.0f', clock))
  redis.call('ZREM', base .. ':parked', plan)
  put_plan_state(plan, 'running')
  touched[plan] = true
  return 'running'
end
