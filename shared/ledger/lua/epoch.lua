-- One beat of the watch over Redis itself. The beat only grows; a Redis that shows a smaller one than was seen before has
-- lost writes that it had acknowledged (a truncated or restored file), and a new epoch begins.
--
-- KEYS[1] hash: beat, epoch   ARGV[1] the largest beat the caller ever saw
-- Answers {beat, epoch, lost}: lost is 1 for the one caller whose beat began the new epoch.
local beat = tonumber(redis.call('HGET', KEYS[1], 'beat') or '0')
local seen = tonumber(ARGV[1])
local lost = 0
if beat < seen then
  lost = 1
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  beat = seen
end
redis.call('HSET', KEYS[1], 'beat', beat + 1)
return { beat + 1, tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0'), lost }
