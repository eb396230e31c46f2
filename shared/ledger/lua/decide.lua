-- A person approves or refuses a waiting approval.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] remodel, [4] approve: 1 or 0, [5] who decides: JSON of an actor, [6] id of this decision
-- Answers {status}: recorded | state (found: the state it is in) | held: it is parked, and another plan has
-- the deployment (found)
local plan, id = ARGV[2], ARGV[3]
local state = state_of(plan, id)
local run = run_of(plan, id)
-- Sent again after an answer that was lost.
if state and state ~= 'waiting' and run.decision == ARGV[6] then return cjson.encode({ status = 'recorded' }) end
-- A step or a gate that waits is no person's to settle.
if state == 'waiting' and node(plan, id).g ~= 'approve' then state = 'waiting for something else' end
if state ~= 'waiting' then return cjson.encode({ status = 'state', found = state or 'absent' }) end
if plan_state(plan) == 'parked' then
  local now = take_up(plan, true)
  if now == 'held' then return cjson.encode({ status = 'held', found = redis.call('HGET', base .. ':lock', 'plan') }) end
  if now == 'superseded' then return answer({ [plan] = true }, { status = 'state', found = 'skipped' }) end
end
if not may_start(plan, node(plan, id)) then
  -- Its plan is stopping, and has not come to this one yet.
  settle(plan, id, 'skipped')
  return answer({ [plan] = true }, { status = 'state', found = 'skipped' })
end
run.decision = ARGV[6]
redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
if ARGV[4] == '1' then
  event({ type = 'remodel.done', plan = plan, remodel = id, by = actor_of(ARGV[5]), message = 'approved by ' .. actor_text(ARGV[5]) })
  settle(plan, id, 'done')
else
  fail(plan, id, { code = 'cancelled', message = 'refused by ' .. actor_text(ARGV[5]) })
end
return answer({ [plan] = true }, { status = 'recorded' })
