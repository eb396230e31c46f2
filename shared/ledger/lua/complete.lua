-- Records how attempts ended, exactly once, and frees what depended on them.
--
-- KEYS[1] base   ARGV[1] channel, [2] JSON list of
--   {plan, remodel, fence, outcome: done|failed|retry|progress, floorplan?: {id: JSON text or false}, code?, message?, log?, facts?, durationMs?}
-- Answers a list, one for each: recorded | superseded (another fence is current, or it is settled: nothing was changed)
local plans, results = {}, {}
for _, c in ipairs(cjson.decode(ARGV[2])) do
  local run = run_of(c.plan, c.remodel)
  if state_of(c.plan, c.remodel) ~= 'running' or run.fence ~= c.fence then
    results[#results + 1] = 'superseded'
  else
    results[#results + 1] = 'recorded'
    c.worker, c.attempt = run.worker, run.attempt
    if c.outcome == 'progress' then
      event({ type = 'remodel.progress', plan = c.plan, remodel = c.remodel, worker = run.worker, attempt = run.attempt, fence = run.fence, message = c.message })
    else
      plans[c.plan] = true
      run.finishedAt = clock
      redis.call('HSET', key(c.plan, 'runs'), c.remodel, cjson.encode(run))
      if c.outcome == 'done' then
        local changed = false
        for id, text in pairs(c.floorplan or {}) do
          if text then redis.call('HSET', base .. ':floorplan', id, text) else redis.call('HDEL', base .. ':floorplan', id) end
          changed = true
        end
        if changed then redis.call('HINCRBY', base .. ':meta', 'floorplan', 1) end
        event({ type = 'remodel.done', plan = c.plan, remodel = c.remodel, worker = run.worker, attempt = run.attempt, fence = run.fence,
          durationMs = c.durationMs, facts = c.facts })
        settle(c.plan, c.remodel, 'done')
      elseif c.outcome == 'retry' then
        retry(c.plan, c.remodel, c)
      elseif plan_state(c.plan) == 'cancelling' and c.code == 'cancelled' then
        settle(c.plan, c.remodel, 'skipped')
      else
        fail(c.plan, c.remodel, c)
      end
    end
  end
end
return answer(plans, results)
