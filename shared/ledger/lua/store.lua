-- Writes a part of a plan; nothing where the plan has its state, which is written last: it was stored by another
-- process meanwhile (the same order may be delivered twice), and may run already.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] '' or, with the last part, the time it is listed under, [4] of how many remodels,
--   then hashes: part ('' for the plan itself), number of values, field, value, ...
-- Answers 1 | 0: it was stored already, or parts of it were lost meanwhile (a Redis that came back
-- older); nothing was changed
local plan = ARGV[2]
if plan_state(plan) then return 0 end
local is_last = ARGV[3] ~= ''
if is_last and redis.call('HLEN', key(plan, 'remodels')) ~= tonumber(ARGV[4]) then return 0 end
local at = 5
while ARGV[at] do
  local part, count = ARGV[at], tonumber(ARGV[at + 1])
  local hash = part == '' and base .. ':plan:' .. plan or key(plan, part)
  redis.call('HSET', hash, unpack(ARGV, at + 2, at + 1 + count))
  -- A plan that is half stored is forgotten unless the last part comes.
  redis.call('EXPIRE', hash, 3600)
  at = at + 2 + count
end
if is_last then
  redis.call('ZADD', base .. ':plans', ARGV[3], plan)
  redis.call('PERSIST', base .. ':plan:' .. plan)
  for _, part in ipairs({ 'remodels', 'graph', 'lists', 'unmet', 'state', 'places', 'windows', 'reservations' }) do redis.call('PERSIST', key(plan, part)) end
end
return 1
