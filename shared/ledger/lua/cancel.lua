-- Cancels a plan: nothing but cleanup starts any more, running work is asked to stop. With force all of it is
-- skipped, what runs as well, and finds itself superseded; the lock goes when the last of it was settled. A lock
-- whose plan is gone is taken away.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] who cancels it: JSON of an actor, [4] abort channel, [5] force: 1 or 0
-- Answers {state, left, opened}: the state the plan is in now, how many tasks are left to do (advance.lua),
-- whether it was ever opened.
local plan, force = ARGV[2], ARGV[5] == '1'
local state, forced = plan_state(plan)
if state == 'stored' then
  put_plan_state(plan, 'cancelled', 'finishedAt', wall)
  let_go_of_work(plan)
end
if state == 'parked' then
  local now = take_up(plan, true)
  -- Its cleanup would come in between what the other plan does.
  if now == 'held' then supersede(plan, 'cancelled by ' .. actor_text(ARGV[3]) .. ' while another plan has the deployment') end
  state, forced = plan_state(plan)
end
if state == 'running' or state == 'failing' then
  local why = (force and 'its lock is taken away by ' or 'by ') .. actor_text(ARGV[3])
  event({ type = 'plan.cancelling', plan = plan, by = actor_of(ARGV[3]), message = why })
  stop_starting(plan, 'cancelling')
  put_plan_state(plan, 'cancelling', 'cancelledAt', clock)
  state = 'cancelling'
end
if state == 'cancelling' then
  redis.call('PUBLISH', ARGV[4], cjson.encode({ base = base, plan = plan }))
  if force and not forced then
    put_plan_state(plan, 'cancelling', 'forced', 1)
    work(plan, 'force', 0)
  end
end
conclude(state == 'cancelling' and { [plan] = true } or {})
if force and not state then finish_if_settled(plan) end
announce()
return cjson.encode({ state = plan_state(plan) or 'absent', left = redis.call('LLEN', key(plan, 'todo')),
  opened = redis.call('HEXISTS', base .. ':plan:' .. plan, 'startedAt') == 1 })
