-- Opens a stored plan: takes the deployment's lock and releases everything that needs nothing.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] lock id, [4] holder, [5] message, [6] epoch of this Redis
-- Answers {status}: ok | state (found: its state) | moved (found: floorplan version) | locked (lock: who holds it)
local plan, lock = ARGV[2], base .. ':lock'
local meta = base .. ':plan:' .. plan
local state = redis.call('HGET', meta, 'state')
if state ~= 'stored' then return cjson.encode({ status = 'state', found = state or 'absent' }) end
local version = redis.call('HGET', base .. ':meta', 'floorplan') or '0'
if version ~= redis.call('HGET', meta, 'floorplan') then return cjson.encode({ status = 'moved', found = tonumber(version) }) end
if redis.call('EXISTS', lock) == 1 then
  local held = redis.call('HMGET', lock, 'id', 'plan', 'holder', 'since', 'message')
  return cjson.encode({ status = 'locked', lock = { id = held[1], plan = held[2], holder = held[3], since = tonumber(held[4]), message = held[5] } })
end
redis.call('HSET', base .. ':meta', 'epoch', math.max(tonumber(ARGV[6]), tonumber(redis.call('HGET', base .. ':meta', 'epoch') or '0')))
redis.call('HSET', lock, 'id', ARGV[3], 'plan', plan, 'holder', ARGV[4], 'since', clock, 'message', ARGV[5])
redis.call('HSET', meta, 'state', 'running', 'startedAt', clock)
event({ type = 'plan.started', plan = plan, message = ARGV[5] })
redis.call('HSET', meta, 'firstEvent', redis.call('HGET', base .. ':meta', 'seq'))
for _, id in ipairs(cjson.decode(redis.call('HGET', meta, 'roots'))) do ready_list[#ready_list + 1] = { plan, id, false } end
return answer({ [plan] = true }, { status = 'ok' })
