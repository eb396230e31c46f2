-- Begins to forget compiled packages: a look-up that finds one from here on takes it off the list again (`find.lua`).
--
-- KEYS[1] compiled index, KEYS[2] condemned hash: package key -> time; ARGV: package keys
-- Answers how many of them are in the index
local count = 0
for _, key in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[1], key) == 1 then
    redis.call('HSET', KEYS[2], key, redis.call('TIME')[1])
    count = count + 1
  end
end
return count
