-- Records a compiled package, put if absent: what a key denotes never changes.
--
-- KEYS[1] compiled index, KEYS[2] the claim's fence ("<token> <number>")
-- ARGV[1] package key, [2] JSON of the compiled package, [3] the number of the writer's fence
-- Answers: recorded | present (another result is kept) | superseded (the fence is not the last one handed out)
local last = redis.call('GET', KEYS[2])
local number = last and string.match(last, ' (%d+)$')
if number ~= ARGV[3] then return 'superseded' end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'present' end
return 'recorded'
