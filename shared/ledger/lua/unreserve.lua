-- The names that were taken for a round of a plan are about to be given up: the plan goes into the next round, unless
-- it was opened in this one, which then keeps them.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] round
-- Answers 1 | 0: it was opened, and its names stay.
local meta = base .. ':plan:' .. ARGV[2]
local state, round = redis.call('HGET', meta, 'state'), redis.call('HGET', meta, 'round')
if round ~= ARGV[3] then return 1 end
if state ~= 'stored' then return 0 end
redis.call('HINCRBY', meta, 'round', 1)
return 1
