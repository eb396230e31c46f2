-- Makes ready what waits for nothing any more and was not made ready: what an error in the middle of a script, or a
-- hand in Redis, left behind.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, then remodels that look so
-- Answers how many of them were
local plan, found = ARGV[2], 0
local state = plan_state(plan)
if state ~= 'running' and state ~= 'failing' and state ~= 'cancelling' then return 0 end
for i = 3, #ARGV do
  if state_of(plan, ARGV[i]) == 'blocked' and tonumber(redis.call('HGET', key(plan, 'unmet'), ARGV[i]) or '0') <= 0 then
    found = found + 1
    work(plan, 'ready', ARGV[i])
  end
end
answer({ [plan] = true }, {})
return found
