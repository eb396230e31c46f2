-- Goes on with a plan that is open without the lock: takes it up again where something of it is due and the deployment
-- is free, and ends it where another plan has begun something (park.lua).
--
-- KEYS[1] base   ARGV[1] channel, [2] plan
-- Answers the state it is in now, or ''
local plan = ARGV[2]
local state = plan_state(plan)
if state == 'parked' then
  local due = tonumber(redis.call('ZSCORE', base .. ':parked', plan) or '0')
  if is_superseded(plan) or due <= clock then take_up(plan) end
elseif state ~= 'cancelling' then
  redis.call('ZREM', base .. ':parked', plan)
end
conclude({ [plan] = true })
announce()
return plan_state(plan) or ''
