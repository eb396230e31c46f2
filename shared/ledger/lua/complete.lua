-- Records how attempts ended, exactly once, and frees what depended on them.
--
-- A worker that has just ended a remodel may take another ready one of the same plan and queue along (`take`), in the
-- same step: a chain then costs one round trip a link instead of a journey through the queue. The ledger remembers
-- which remodel a job carries, so that the job, delivered again after a crash, goes on with that one.
--
-- At its point of no return (`no-return`) an attempt loses its deadline: from there only a crash ends it, and then it
-- is begun again whatever became of the plan. A plan that is being cancelled refuses it: the step undoes what it has
-- done. Not so for an attempt after one that was past that point: there is nothing to go back to.
--
-- `wait` and `not-mine` end an attempt that uses none: waits.lua.
--
-- KEYS[1] base   ARGV[1] channel, [2] JSON list of
--   {plan, remodel, fence, outcome: done|failed|retry|lost|wait|not-mine|progress|no-return, afterMs: of `wait` and
--   `not-mine`, floorplan?: {id: JSON text or false}, code?, message?, log?, facts?,
--    durationMs?, job?, take?: queue}
-- Answers a list, one for each: {status: recorded, next?: as claim.lua answers, with id} | {status: superseded} |
-- {status: cancelled} | {status: malformed}
--   superseded: another fence is current, or it is settled: nothing was changed
--   cancelled: of a `no-return` whose plan is being cancelled: nothing was changed
--   malformed: it is no report: nothing was changed. An error in the middle of a script is not taken back, so all are
--   looked at before the first is recorded.
local plans, results = {}, {}

local outcomes = { done = true, failed = true, retry = true, lost = true, wait = true, ['not-mine'] = true, progress = true, ['no-return'] = true }

local function text_or_nil(value)
  return value == nil or type(value) == 'string'
end

local function is_report(c)
  if type(c) ~= 'table' or type(c.plan) ~= 'string' or type(c.remodel) ~= 'string' or type(c.fence) ~= 'string' then return false end
  if not outcomes[c.outcome] or (c.take ~= nil and type(c.job) ~= 'string') then return false end
  for _, field in ipairs({ 'code', 'message', 'log', 'job', 'take' }) do
    if not text_or_nil(c[field]) then return false end
  end
  local tells = c.outcome == 'done' or c.outcome == 'progress' or c.outcome == 'no-return' or c.message
  if not tells then return false end
  if c.outcome == 'wait' and (type(c.afterMs) ~= 'number' or not (c.afterMs >= 0 and c.afterMs < 2 ^ 48)) then return false end
  if c.floorplan == nil then return true end
  if type(c.floorplan) ~= 'table' then return false end
  for id, text in pairs(c.floorplan) do
    if type(id) ~= 'string' or (text ~= false and type(text) ~= 'string') then return false end
  end
  return true
end

-- The first of the backlog: no job was published for it yet. Where that is empty, what is on the
-- queue, from its far end.
local function take(plan, queue)
  for _, id in ipairs(redis.call('ZRANGE', key(plan, 'backlog:' .. queue), 0, 9)) do
    if may_begin(plan, id) then return id end
  end
  for _, id in ipairs(redis.call('ZREVRANGE', key(plan, 'published:' .. queue), 0, 9)) do
    if may_begin(plan, id) and run_of(plan, id).attempt < node(plan, id).a then return id end
  end
end

local completions = cjson.decode(ARGV[2])
for i, c in ipairs(completions) do
  if not is_report(c) then
    results[i] = { status = 'malformed' }
  elseif not plan_state(c.plan) or not node(c.plan, c.remodel) then
    results[i] = { status = 'superseded' }
  end
end
for i, c in ipairs(completions) do
  local run = not results[i] and run_of(c.plan, c.remodel)
  if results[i] then
    completions[i] = {}
  elseif state_of(c.plan, c.remodel) ~= 'running' or run.fence ~= c.fence then
    results[i] = { status = 'superseded' }
    c.take = nil
  else
    results[i] = { status = 'recorded' }
    c.worker, c.attempt = run.worker, run.attempt
    if c.outcome == 'progress' then
      local is_news = not run.looks or run.said ~= c.message
      -- Each look says again what the one before it said, for days.
      if run.looks and is_news then
        run.said = first_of(c.message, 1024)
        redis.call('HSET', key(c.plan, 'runs'), c.remodel, cjson.encode(run))
      end
      if is_news then event({ type = 'remodel.progress', plan = c.plan, remodel = c.remodel, worker = run.worker, attempt = run.attempt, fence = run.fence, message = c.message }) end
    elseif c.outcome == 'no-return' then
      if plan_state(c.plan) == 'cancelling' and not run.noReturn then
        results[i] = { status = 'cancelled' }
      else
        run.noReturn = true
        run.deadline = nil
        redis.call('HSET', key(c.plan, 'runs'), c.remodel, cjson.encode(run))
        redis.call('ZADD', key(c.plan, 'running'), '+inf', c.remodel)
      end
    else
      plans[c.plan] = true
      run.finishedAt = wall
      redis.call('HSET', key(c.plan, 'runs'), c.remodel, cjson.encode(run))
      if c.job then redis.call('HDEL', key(c.plan, 'carried'), c.job) end
      if c.outcome == 'done' then
        for id, text in pairs(c.floorplan or {}) do
          if text then redis.call('HSET', base .. ':floorplan', id, text) else redis.call('HDEL', base .. ':floorplan', id) end
        end
        event({ type = 'remodel.done', plan = c.plan, remodel = c.remodel, worker = run.worker, attempt = run.attempt, fence = run.fence,
          durationMs = c.durationMs, facts = c.facts })
        settle(c.plan, c.remodel, 'done')
      elseif c.outcome == 'retry' then
        retry(c.plan, c.remodel, c)
      elseif c.outcome == 'lost' then
        give_back(c.plan, c.remodel, c)
      elseif c.outcome == 'wait' then
        wait_for(c.plan, c.remodel, c)
      elseif c.outcome == 'not-mine' then
        pass_on(c.plan, c.remodel, c)
      elseif plan_state(c.plan) == 'cancelling' and c.code == 'cancelled' then
        settle(c.plan, c.remodel, 'skipped')
      else
        fail(c.plan, c.remodel, c)
      end
    end
  end
end
for plan in pairs(plans) do touched[plan] = true end
work_off()
for i, c in ipairs(completions) do
  local id = c.take and take(c.plan, c.take)
  if id then
    results[i].next = begin(c.plan, id, c.worker, c.job)
    redis.call('HSET', key(c.plan, 'carried'), c.job, id)
  end
end
return answer(plans, results)
