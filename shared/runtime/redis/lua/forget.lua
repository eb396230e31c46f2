-- Forgets fields that no process found or wrote since they were condemned.
--
-- KEYS[1] the hash, KEYS[2] its condemned fields, further ones: hashes that hold more about the same fields;
-- ARGV: fields
-- Answers the fields that are forgotten
local forgotten = {}
for _, field in ipairs(ARGV) do
  if redis.call('HDEL', KEYS[2], field) == 1 then
    redis.call('HDEL', KEYS[1], field)
    for i = 3, #KEYS do redis.call('HDEL', KEYS[i], field) end
    table.insert(forgotten, field)
  end
end
return forgotten
