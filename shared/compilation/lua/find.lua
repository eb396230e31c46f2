-- Finds compiled packages, for a caller that is about to rely on them: they are condemned no more.
--
-- KEYS[1] compiled index, KEYS[2] condemned hash; ARGV: package keys
-- Answers what the index has for each, or false
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
redis.call('HDEL', KEYS[2], unpack(ARGV))
return found
