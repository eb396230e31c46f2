-- One beat of the watch over Redis itself. The beat only grows; a Redis that shows a smaller one than was seen before
-- has lost writes that it had acknowledged (a truncated or restored file): `lost` changes, and no fence is drawn any
-- more below the epoch after the largest one that was seen (fences.ts). The largest one lies here too, so that
-- processes learn of it that have drawn none.
--
-- KEYS[1] hash: beat, epoch, lost (the largest beat before the last loss), floor
-- ARGV[1] the largest beat the caller ever saw, [2] the largest epoch it ever saw
-- Answers {beat, epoch, lost, floor}: lost is 1 for the one caller whose beat noticed it.
local function number(field)
  return tonumber(redis.call('HGET', KEYS[1], field) or '0')
end

local beat, had, seen = number('beat'), number('epoch'), tonumber(ARGV[1])
local epoch = math.max(had, tonumber(ARGV[2]))
local lost = 0
if beat < seen then
  lost = 1
  epoch = epoch + 1
  beat = seen
  redis.call('HSET', KEYS[1], 'lost', seen, 'floor', epoch)
end
if epoch > had then redis.call('HSET', KEYS[1], 'epoch', epoch) end
redis.call('HSET', KEYS[1], 'beat', beat + 1)
return { beat + 1, epoch, lost, number('floor') }
