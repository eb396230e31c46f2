-- Ends attempts that nobody else will end: deadlines that have passed, workers that are gone together with their job.
-- An attempt gets another one or fails; an approval that nobody gave fails.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] grace in milliseconds that an attempt has to report by itself,
--   [4...] workers that are gone
-- Answers the list of remodels concerned.
local plan, grace = ARGV[2], tonumber(ARGV[3])
raise_fence()
local fired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'running'), '-inf', clock - grace, 'LIMIT', 0, 100)) do
  local n, run, state = node(plan, id), run_of(plan, id), state_of(plan, id)
  -- The failure of one before it may have settled it already.
  if state == 'running' or state == 'waiting' then fired[#fired + 1] = id end
  if state == 'waiting' and not may_start(plan, n) then
    settle(plan, id, 'skipped')
  elseif state == 'waiting' then
    fail(plan, id, { code = 'deadline', message = 'nobody approved within ' .. n.t .. ' s' })
  elseif state == 'running' then
    abandon(plan, id)
    retry(plan, id, { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'deadline', message = 'did not end within ' .. n.t .. ' s' })
  end
end
local gone = {}
for i = 4, #ARGV do gone[ARGV[i]] = true end
if #ARGV >= 4 then
  for _, id in ipairs(redis.call('ZRANGE', key(plan, 'running'), 0, -1)) do
    local run = run_of(plan, id)
    if run.worker and gone[run.worker] and state_of(plan, id) == 'running' then
      fired[#fired + 1] = id
      abandon(plan, id)
      retry(plan, id, { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure', message = 'its worker ' .. run.worker .. ' is gone' })
    end
  end
end
return answer({ [plan] = true }, fired)
