-- Writes a part of a plan; nothing where the plan has its state, which is written last: it was stored by somebody else
-- meanwhile (the same order may be delivered twice), and may run already.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] JSON list of hashes, each {part, field, value, ...}; part is '' for the plan
--   itself; with the last part [4] the time it is listed under, [5] of how many remodels
-- Answers 1 | 0: it was stored already, or parts of it were lost meanwhile (a Redis that came back older); nothing was changed
local plan = ARGV[2]
if plan_state(plan) then return 0 end
if ARGV[5] and redis.call('HLEN', key(plan, 'remodels')) ~= tonumber(ARGV[5]) then return 0 end
for _, fields in ipairs(cjson.decode(ARGV[3])) do
  local part = table.remove(fields, 1)
  local hash = part == '' and base .. ':plan:' .. plan or key(plan, part)
  redis.call('HSET', hash, unpack(fields))
  -- What is half stored is nobody's; it is forgotten unless the last part comes.
  redis.call('EXPIRE', hash, 3600)
end
if ARGV[4] then
  redis.call('ZADD', base .. ':plans', ARGV[4], plan)
  redis.call('PERSIST', base .. ':plan:' .. plan)
  for _, part in ipairs({ 'remodels', 'graph', 'unmet', 'state', 'places', 'windows', 'reservations' }) do redis.call('PERSIST', key(plan, part)) end
end
return 1
