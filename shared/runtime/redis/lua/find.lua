-- Finds fields, for a caller that is about to rely on them: they are condemned no more.
--
-- KEYS[1] the hash, KEYS[2] its condemned fields; ARGV: fields
-- Answers what the hash has for each, or false
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
redis.call('HDEL', KEYS[2], unpack(ARGV))
return found
