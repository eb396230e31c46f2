-- Waits: a step has done what it can for now and says what it waits for and when to look again. The remodel is in no
-- worker's hands meanwhile. It lies in :later until its time has come (ripen in outlet.lua), then it is released as
-- any other, and the attempt that looks again is no further attempt. It keeps its permit: what is changed by half
-- counts in its windows.
--
-- run.waits = {on: what it waits for, since, strange: how many workers in a row did not know its step,
-- deadline?: of the whole wait}
--
-- The deadline is the one of the attempt that began to wait. It lies in :waits until the remodel is settled, whether it
-- waits, is released again or runs.

-- How long is waited before the next worker is asked whether it knows a step, where no living one does; where one
-- does, its worker says.
local soonest_other, latest_other = 250, 5000
local soonest_look = 100
-- A long wait is looked at less often: its end is noticed at most a twentieth of the time waited later.
local latest_look = 60000

local function look_after(run, ms)
  local waited = run.waits and wall - run.waits.since or 0
  return math.max(soonest_look, ms, math.min(waited / 20, latest_look))
end

local function wait(plan, id, cause, waits, delay)
  local run = run_of(plan, id)
  -- Nothing new starts in its plan: it is not looked at again.
  if not run.noReturn and not may_start(plan, node(plan, id)) then return settle(plan, id, 'skipped') end
  local before = run.waits or {}
  waits.since = before.since or wall
  waits.on = first_of(waits.on, 1024)
  run.waits = waits
  local is_news = not run.looks or before.on ~= waits.on
  run.looks = true
  run.releases = run.releases + 1
  run.finishedAt, run.worker = nil, nil
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  redis.call('ZREM', key(plan, 'running'), id)
  put_state(plan, id, 'waiting')
  redis.call('ZADD', key(plan, 'later'), clock + delay, id)
  soon[plan] = math.min(soon[plan] or delay, delay)
  if waits.deadline then
    redis.call('ZADD', key(plan, 'waits'), waits.deadline, id)
    waited[plan] = true
  end
  touched[plan] = true
  note_wait(plan)
  if not is_news then return end
  floorplan_may_have_moved()
  -- It may look again every second for days: events tell what is new.
  event({ type = 'remodel.waiting', plan = plan, remodel = id, worker = cause.worker, attempt = cause.attempt, fence = cause.fence, message = waits.on })
end

-- The attempt ended well, so those that ended badly before it are forgiven.
local function wait_for(plan, id, cause)
  local run = run_of(plan, id)
  run.attempt = 0
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  wait(plan, id, cause, { on = cause.message, deadline = run.waits and run.waits.deadline or run.deadline }, look_after(run, cause.afterMs))
end

-- A worker that does not know the step, or the format of the plan, did nothing: another one may. Where none does, it
-- waits until one comes. An input that cannot be read may be a mistake as well: its time is limited.
local function pass_on(plan, id, cause)
  local run = run_of(plan, id)
  local before = run.waits or {}
  local strange = (before.strange or 0) + 1
  run.attempt = run.attempt - 1
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  local deadline = before.deadline or (cause.code == 'invalid-input' and run.deadline) or nil
  wait(plan, id, cause, { on = cause.message, strange = strange, deadline = deadline }, cause.afterMs or math.min(soonest_other * 2 ^ math.min(strange - 1, 10), latest_other))
end

-- Ends waits whose deadline has passed; what runs has the same deadline, and ends by that.
local function end_waits(plan, before, fired)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'waits'), '-inf', before, 'LIMIT', 0, 100)) do
    local state = state_of(plan, id)
    if state == 'waiting' or state == 'released' then
      fired[#fired + 1] = id
      if not may_begin(plan, id) then
        settle(plan, id, 'skipped')
      else
        fail(plan, id, { code = 'deadline', message = 'waited in vain for ' .. run_of(plan, id).waits.on .. ': its ' .. node(plan, id).t .. ' s are over' })
      end
    end
  end
end
