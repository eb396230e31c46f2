-- Fires deadlines that have passed: an attempt gets another one or fails, an approval that nobody gave fails.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] grace in milliseconds that an attempt has to report by itself
-- Answers the list of remodels whose deadline fired.
local plan, grace = ARGV[2], tonumber(ARGV[3])
local fired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'running'), '-inf', clock - grace, 'LIMIT', 0, 100)) do
  local n, run = node(plan, id), run_of(plan, id)
  fired[#fired + 1] = id
  if n.g == 'approve' then
    fail(plan, id, { code = 'deadline', message = 'nobody approved within ' .. n.t .. ' s' })
  else
    retry(plan, id, { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'deadline', message = 'did not end within ' .. n.t .. ' s' })
  end
end
return answer({ [plan] = true }, fired)
