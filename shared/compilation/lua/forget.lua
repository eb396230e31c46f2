-- Forgets compiled packages that no look-up found since they were condemned.
--
-- KEYS[1] compiled index, KEYS[2] condemned hash; ARGV: package keys
-- Answers the keys that are forgotten
local forgotten = {}
for _, key in ipairs(ARGV) do
  if redis.call('HDEL', KEYS[2], key) == 1 then
    redis.call('HDEL', KEYS[1], key)
    table.insert(forgotten, key)
  end
end
return forgotten
