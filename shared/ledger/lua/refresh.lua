-- A stored plan is handed out again: it is as new as one that was stored now.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] the time it is listed under, [4] blob of the order that it was
-- drawn for now, or ''
-- Answers its state, or ''
local plan = ARGV[2]
local state = plan_state(plan)
if state == 'stored' then
  redis.call('HSET', base .. ':plan:' .. plan, 'createdAt', ARGV[3])
  if ARGV[4] ~= '' then redis.call('HSET', base .. ':plan:' .. plan, 'order', ARGV[4]) end
  redis.call('ZADD', base .. ':plans', ARGV[3], plan)
end
return state or ''
