-- A worker begins the remodels its jobs were published for: each gets its next attempt, its fence and its
-- deadline. One that is running already is claimed again only by the job that carries it, which was delivered
-- anew; the old fence is dead then. Where the worker before had gone on to another remodel in the same job (see
-- complete.lua), that one is claimed.
--
-- A job is delivered anew because its worker is gone, or because of a stall: of Redis, of the worker, of a clock. Only
-- the first is an attempt that ended. Where the same worker asks, it is alive and has lost sight of the remodel: that
-- is a loss. Where another one asks, `over` says over whom it may begin. An attempt that only waited for the work of
-- another remodel (`joins`) has lost nothing by the death of the worker: that is a loss as well.
--
-- KEYS[1] base   ARGV[1] channel, [2] worker, then for each six: plan, remodel, job,
--   over: `any`, `none`, or the fence it may take over from; loss: 1 where the worker of that fence
--   lives, else 0; joins: 1 or 0
-- Answers a list, one for each: {status: claimed, attempt, release, fence, deadline, now, kind, remodel: JSON text} |
-- {status: superseded, state}
--   | {status: held, worker, fence}: another worker has it, and `over` does not name that fence
local worker, plans, results = ARGV[2], {}, {}
for i = 3, #ARGV, 6 do
  local plan, job, over = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local id = redis.call('HGET', key(plan, 'carried'), job) or ARGV[i + 1]
  local state = state_of(plan, id)
  local result = { status = 'superseded', state = state or 'absent' }
  local run = run_of(plan, id)
  local again = state == 'running' and run.job == job
  local held = again and run.worker ~= worker and over ~= 'any' and tonumber(over) ~= tonumber(run.fence)
  if state == 'released' and not may_begin(plan, id) then
    -- Its plan is stopping, and has not come to this one yet.
    settle(plan, id, 'skipped')
    result.state = 'skipped'
  elseif held then
    result = { status = 'held', worker = run.worker, fence = run.fence }
  elseif state == 'released' or again then
    local joins = ARGV[i + 5] == '1'
    local loss = again and (run.worker == worker or run.joins or ARGV[i + 4] == '1')
    plans[plan] = true
    if again then abandon(plan, id) end
    if loss then
      result = lost_too_often(plan, id) and result or begin(plan, id, worker, job, { lost = true, joins = joins })
    elseif run.attempt >= node(plan, id).a then
      fail(plan, id, { worker = worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure',
        message = id .. ' was begun ' .. run.attempt .. ' times and never ended: it may crash its worker' })
    else
      result = begin(plan, id, worker, job, { joins = joins })
    end
  end
  results[#results + 1] = result
end
return answer(plans, results)
