-- Asks for a package key on behalf of a remodel; the first to ask queues it, the others join.
--
-- Deployments take turns. A package's turn is a number, the smallest goes first: that of the last one its deployment
-- was served, or that anybody was served, whichever is larger, and one more for itself and for each heavier one of its
-- own deployment that waits. So a deployment of a thousand packages is never more than a few ahead of one that comes
-- with a single one, and the longest path of each deployment goes first.
--
-- KEYS[1] request hash: state (queued; absent when idle), n (names the job that carries it), spec, by, turn, asker (the
-- deployment whose turn it is); KEYS[2] its subscribers hash: subscriber -> JSON {since}; KEYS[3] turns hash: served,
-- of <deployment> -> the turn of its last package that was served. Below KEYS[3], in the same slot:
-- <KEYS[3]>:<deployment> zset: what waits for it -> weight ARGV[1] subscriber, [2] spec JSON, [3] deployment, [4]
-- weight Answers {status: queued | joined, n: the number of the job, by: who asked first, turn}
local time = redis.call('TIME')
local since = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSETNX', KEYS[2], ARGV[1], cjson.encode({ since = since }))
local status = 'joined'
if redis.call('HSETNX', KEYS[1], 'state', 'queued') == 1 then
  status = 'queued'
  local own = 'of ' .. ARGV[3]
  local line = KEYS[3] .. ':' .. ARGV[3]
  local last = math.max(tonumber(redis.call('HGET', KEYS[3], 'served') or '0'), tonumber(redis.call('HGET', KEYS[3], own) or '0'))
  local turn = last + 1 + #redis.call('ZRANGEBYSCORE', line, ARGV[4], '+inf')
  redis.call('HSETNX', KEYS[3], own, last)
  redis.call('ZADD', line, ARGV[4], KEYS[1])
  for _, key in ipairs({ KEYS[3], line }) do redis.call('EXPIRE', key, 86400) end
  -- The time, not a counter: the name must not have been used before, though the request was forgotten meanwhile.
  redis.call('HSET', KEYS[1], 'n', since, 'spec', ARGV[2], 'by', ARGV[1], 'turn', turn, 'asker', ARGV[3])
end
-- A subscriber asks again and again; a request that is not repeated (its plan ended before the job was added) ends too.
for i = 1, 2 do redis.call('EXPIRE', KEYS[i], 86400) end
return cjson.encode({ status = status, n = tonumber(redis.call('HGET', KEYS[1], 'n')), by = redis.call('HGET', KEYS[1], 'by'),
  turn = tonumber(redis.call('HGET', KEYS[1], 'turn') or '1') })
