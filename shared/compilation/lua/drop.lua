-- Takes a compiled package out of the index whose bytes are gone or broken, unless another result
-- stands there meanwhile.
--
-- KEYS[1] compiled index, KEYS[2] condemned hash; ARGV[1] package key, [2] digest of the bytes
-- Answers 1 where it was taken out
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text or cjson.decode(text).digest ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
