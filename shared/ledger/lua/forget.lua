-- Forgets a plan that is over, or that was stored and not applied for long; whatever is true of it now is looked at
-- here. Its place in the list of plans is kept, so that a process that dies meanwhile leaves a trace.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] time: a stored plan from before it is forgotten
-- Answers 1 | 0: it is in use, nothing was changed
local plan = ARGV[2]
local meta = base .. ':plan:' .. plan
local state = plan_state(plan)
local idle = state == 'stored' and tonumber(redis.call('HGET', meta, 'createdAt')) < tonumber(ARGV[3])
local over = state == 'done' or state == 'failed' or state == 'cancelled'
if state and not idle and not over then return 0 end
if redis.call('HGET', base .. ':lock', 'plan') == plan then unlock() end
local parts = { 'graph', 'lists', 'remodels', 'unmet', 'state', 'runs', 'todo', 'later', 'waits', 'running', 'carried', 'doomed', 'places', 'windows', 'errors',
  'reservations' }
for _, queue in ipairs(cjson.decode(redis.call('HGET', meta, 'queues') or '[]')) do
  redis.call('UNLINK', key(plan, 'backlog:' .. queue), key(plan, 'published:' .. queue))
end
for _, part in ipairs(parts) do redis.call('UNLINK', key(plan, part)) end
redis.call('UNLINK', meta)
return 1
