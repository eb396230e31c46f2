-- A worker begins the remodels its jobs were published for: each gets its next attempt, its fence and its deadline.
-- One that is running already is claimed again only by the job that carries it: that job was delivered anew because its
-- worker is gone; the old fence is dead. Where the lost worker had gone on to another remodel in the same job (see
-- complete.lua), that one is claimed.
--
-- KEYS[1] base   ARGV[1] channel, [2] worker, then triples: plan, remodel, job
-- Answers a list, one for each triple: {status: claimed, attempt, fence, deadline, now, kind, remodel: JSON text} | {status: superseded, state}
local worker, plans, results = ARGV[2], {}, {}
for i = 3, #ARGV, 3 do
  local plan, job = ARGV[i], ARGV[i + 2]
  local id = redis.call('HGET', key(plan, 'carried'), job) or ARGV[i + 1]
  local state = state_of(plan, id)
  local result = { status = 'superseded', state = state or 'absent' }
  local run = run_of(plan, id)
  if state == 'released' and not may_begin(plan, id) then
    -- Its plan is stopping, and has not come to this one yet.
    settle(plan, id, 'skipped')
    result.state = 'skipped'
  elseif state == 'released' or (state == 'running' and run.job == job) then
    plans[plan] = true
    if run.attempt >= node(plan, id).a then
      fail(plan, id, { worker = worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure',
        message = id .. ' was begun ' .. run.attempt .. ' times and never ended: it may crash its worker' })
    else
      result = begin(plan, id, worker, job)
    end
  end
  results[#results + 1] = result
end
return answer(plans, results)
