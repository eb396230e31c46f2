-- Begins to forget fields: a look-up that finds one from here on takes it off the list again (`find.lua`).
--
-- KEYS[1] the hash, KEYS[2] its condemned fields: field -> time; ARGV: fields
for _, field in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[1], field) == 1 then
    redis.call('HSET', KEYS[2], field, redis.call('TIME')[1])
  end
end
