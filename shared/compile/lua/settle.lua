-- Ends a request whose subscribers were all told.
--
-- KEYS[1] request hash, KEYS[2] its subscribers; ARGV: subscribers that were told
-- Answers how many subscribers came meanwhile and must still be told; the request is idle when none did, and is forgotten
-- a day later.
for _, subscriber in ipairs(ARGV) do redis.call('HDEL', KEYS[2], subscriber) end
local left = redis.call('HLEN', KEYS[2])
if left == 0 then
  redis.call('HDEL', KEYS[1], 'state', 'by')
  redis.call('EXPIRE', KEYS[1], 86400)
end
return left
