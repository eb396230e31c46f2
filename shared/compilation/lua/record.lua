-- Records a compiled package, put if absent (what a key denotes never changes), and how long it took.
--
-- KEYS[1] compiled index, KEYS[2] the claim's fence ("<token> <number> <life>"), KEYS[3] durations hash: name ->
-- milliseconds, KEYS[4] zset of the same names: the time each was written ARGV[1] package key, [2] JSON of the
-- compiled package, [3] the writer's fence ("<token> <number>"), [4] milliseconds it took, [5] how many durations
-- are kept, then the names to keep it under Answers: recorded | present (another result is kept) | superseded (the
-- fence is not the last one handed out)
local last = redis.call('GET', KEYS[2])
local held = last and string.match(last, '^%S+ %d+')
if held ~= ARGV[3] then return 'superseded' end
local answer = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 and 'recorded' or 'present'
local time = redis.call('TIME')
for i = 6, #ARGV do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[4])
  redis.call('ZADD', KEYS[4], tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), ARGV[i])
end
local over = redis.call('ZCARD', KEYS[4]) - tonumber(ARGV[5])
if over > 0 then
  for _, name in ipairs(redis.call('ZRANGE', KEYS[4], 0, over - 1)) do
    redis.call('HDEL', KEYS[3], name)
    redis.call('ZREM', KEYS[4], name)
  end
end
return answer
