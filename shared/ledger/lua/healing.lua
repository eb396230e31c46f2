-- Says whether a deployment is mended by itself.
--
-- KEYS[1] base   ARGV[1] caller, [2] mode, [3] who says so: JSON of an actor, [4] message
--   :healing   hash: mode, by (JSON of an actor), at, message, waits (what keeps a repair back: JSON {why, again})
--   :repairs   list of JSON {plan, at, subjects}, the newest first (open.lua)
redis.call('HDEL', base .. ':healing', 'waits')
redis.call('HSET', base .. ':healing', 'mode', ARGV[2], 'by', ARGV[3], 'at', wall, 'message', ARGV[4])
return 1
