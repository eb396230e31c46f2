-- Cancels a plan: nothing but cleanup starts any more, running work is told to stop. With force the plan ends at once and
-- its lock is gone: whatever still runs finds itself superseded.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] who, [4] abort channel, [5] force: 1 or 0
-- Answers {state}: the state the plan is in now.
local plan = ARGV[2]
local state = plan_state(plan)
if state == 'running' or state == 'failing' then
  event({ type = 'plan.cancelling', plan = plan, message = ARGV[3] })
  stop_starting(plan, 'cancelling')
  state = 'cancelling'
end
if state == 'cancelling' then
  redis.call('PUBLISH', ARGV[4], cjson.encode({ base = base, plan = plan }))
  if ARGV[5] == '1' then
    drain()
    local all = redis.call('HGETALL', key(plan, 'state'))
    for i = 1, #all, 2 do
      local s = state_of(plan, all[i])
      if s ~= 'done' and s ~= 'failed' and s ~= 'skipped' then settle(plan, all[i], 'skipped') end
    end
    announced = {}
  end
elseif state == 'stored' then
  redis.call('HSET', base .. ':plan:' .. plan, 'state', 'cancelled', 'finishedAt', clock)
end
local result = { state = state or 'absent' }
if state and state ~= 'stored' then
  drain()
  finish_if_settled(plan)
end
result.state = plan_state(plan) or 'absent'
return answer({}, result)
