-- Opens a stored plan: takes the deployment's lock and releases everything that needs nothing.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] lock id, [4] who opens it: JSON of an actor, [5] message,
-- [6] id under which the caller waits in line, or '', [7] the round for which the plan's names were taken, or ''
-- [8] where it is a repair: JSON of the materials that were lost, else ''
-- Answers {status}: ok | state (found: its state) | moved (found: floorplan version) | locked (lock: who holds it,
-- looks: true where that plan was parked and only looks whether it still waits)
--   | refused: it is a repair, and the deployment is not to be mended
--   | reserve (round): the exclusive names that it needs must be taken for this round before it is opened
local plan, lock = ARGV[2], base .. ':lock'
-- So many standing orders of a deployment are kept.
local kept_orders = 100
-- So many repairs of a deployment are remembered.
local kept_repairs = 50
-- The order that the plan was drawn for stands from now on. One that is asked for again is the same version.
local function stand_as_ordered(blob)
  local version = redis.call('HGET', base .. ':meta', 'orders')
  local newest = version and redis.call('HGET', base .. ':orders', version)
  if not newest or cjson.decode(newest).blob ~= blob then version = redis.call('HINCRBY', base .. ':meta', 'orders', 1) end
  local order = { plan = plan, blob = blob, at = wall, by = actor_of(ARGV[4]), message = ARGV[5] }
  redis.call('HSET', base .. ':orders', version, cjson.encode(order))
  redis.call('HDEL', base .. ':orders', version - kept_orders)
end
local meta = base .. ':plan:' .. plan
local state = redis.call('HGET', meta, 'state')
-- Sent again after an answer that was lost: it was opened under this lock already.
if state and redis.call('HGET', meta, 'lock') == ARGV[3] then return cjson.encode({ status = 'ok' }) end
if state ~= 'stored' then return cjson.encode({ status = 'state', found = state or 'absent' }) end
local version = redis.call('HGET', base .. ':meta', 'floorplan') or '0'
if version ~= redis.call('HGET', meta, 'floorplan') then return cjson.encode({ status = 'moved', found = tonumber(version) }) end
local function stand_in_the_line()
  if ARGV[6] == '' then return end
  redis.call('ZADD', base .. ':line', 'NX', clock, ARGV[6])
  redis.call('SET', base .. ':line:' .. ARGV[6], ARGV[4], 'PX', in_line_ms)
end
if ARGV[8] ~= '' and redis.call('HGET', base .. ':healing', 'mode') ~= 'apply' then
  return cjson.encode({ status = 'refused' })
end
local holder = redis.call('HGET', lock, 'plan')
-- A lock whose plan is gone holds nothing.
if holder and not plan_state(holder) then unlock() end
if redis.call('EXISTS', lock) == 1 then
  stand_in_the_line()
  local held = redis.call('HMGET', lock, 'id', 'plan', 'holder', 'since', 'message')
  local looks = redis.call('HEXISTS', base .. ':plan:' .. held[2], 'parked') == 1 or nil
  return cjson.encode({ status = 'locked', lock = { id = held[1], plan = held[2], holder = held[3], since = tonumber(held[4]), message = held[5] }, looks = looks })
end
local first = first_in_line()
if first and first ~= ARGV[6] then
  stand_in_the_line()
  local since = tonumber(redis.call('ZSCORE', base .. ':line', first))
  return cjson.encode({ status = 'locked', lock = { id = first, plan = '', holder = redis.call('GET', base .. ':line:' .. first), since = since, message = '' } })
end
local round = redis.call('HGET', meta, 'round')
if round and round ~= ARGV[7] then
  if first then stand_in_the_line() end
  return cjson.encode({ status = 'reserve', round = round })
end
redis.call('ZREM', base .. ':line', ARGV[6])
redis.call('DEL', base .. ':line:' .. ARGV[6])
raise_fence()
redis.call('HSET', lock, 'id', ARGV[3], 'plan', plan, 'holder', ARGV[4], 'since', wall, 'message', ARGV[5], 'clock', string.format('%.0f', clock))
redis.call('HSET', base .. ':meta', 'opened', plan)
put_plan_state(plan, 'running', 'startedAt', wall, 'lock', ARGV[3], 'by', ARGV[4])
event({ type = 'plan.started', plan = plan, by = actor_of(ARGV[4]), message = ARGV[5] })
redis.call('HSET', meta, 'firstEvent', redis.call('HGET', base .. ':meta', 'seq'))
local order = redis.call('HGET', meta, 'order')
if order then stand_as_ordered(order) end
if ARGV[8] ~= '' then
  local repair = { plan = plan, at = wall, subjects = cjson.decode(ARGV[8]) }
  redis.call('LPUSH', base .. ':repairs', cjson.encode(repair))
  redis.call('LTRIM', base .. ':repairs', 0, kept_repairs - 1)
end
work(plan, 'roots', 0)
return answer({ [plan] = true }, { status = 'ok' })
