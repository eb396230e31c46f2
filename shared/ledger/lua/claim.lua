-- A worker begins remodels: each gets its next attempt, its fence and its deadline, in one step.
-- One that is running already is claimed again: its job was delivered anew because its worker is gone; the old fence is dead.
--
-- KEYS[1] base   ARGV[1] channel, [2] worker, then pairs: plan, remodel
-- Answers a list, one for each pair: {status: claimed, attempt, fence, deadline, now, kind, remodel: JSON text} | {status: superseded, state}
local worker, plans, results = ARGV[2], {}, {}
for i = 3, #ARGV, 2 do
  local plan, id = ARGV[i], ARGV[i + 1]
  local state = state_of(plan, id)
  local n = node(plan, id)
  local result = { status = 'superseded', state = state or 'absent' }
  if state == 'released' or state == 'running' then
    plans[plan] = true
    local run = run_of(plan, id)
    if run.attempt >= n.a then
      fail(plan, id, { worker = worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure',
        message = id .. ' was begun ' .. run.attempt .. ' times and never ended: it may crash its worker' })
    else
      run.attempt = run.attempt + 1
      run.fence = redis.call('HINCRBY', base .. ':fences', n.m, 1)
      run.worker = worker
      run.startedAt = clock
      run.deadline = clock + n.t * 1000
      redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
      put_state(plan, id, 'running')
      redis.call('ZREM', key(plan, 'released'), id)
      redis.call('ZADD', key(plan, 'running'), run.deadline, id)
      event({ type = 'remodel.started', plan = plan, remodel = id, worker = worker, attempt = run.attempt, fence = run.fence })
      result = { status = 'claimed', attempt = run.attempt, fence = run.fence, deadline = run.deadline, now = clock,
        kind = redis.call('HGET', base .. ':plan:' .. plan, 'kind'), remodel = redis.call('HGET', key(plan, 'remodels'), id) }
    end
  end
  results[#results + 1] = result
end
return answer(plans, results)
