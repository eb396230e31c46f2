-- Records the differences that a planner saw when it compared a plan that is done with the world. The
-- first comparison counts.
--
-- KEYS[1] base   ARGV[1] caller, [2] plan, [3] verdict: JSON text
-- Answers 1, or 0 where nothing was changed: the plan is not done, is forgotten, or has its verdict.
local meta = base .. ':plan:' .. ARGV[2]
if redis.call('HGET', meta, 'state') ~= 'done' then return 0 end
return redis.call('HSETNX', meta, 'verdict', ARGV[3])
