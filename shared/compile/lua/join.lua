-- Asks for a package key on behalf of a remodel; the first to ask queues it, the others join.
--
-- KEYS[1] request hash: state (queued; absent when idle), n (names the job that carries it), spec, by; KEYS[2] its subscribers hash: subscriber -> JSON {since}
-- ARGV[1] subscriber, [2] spec JSON
-- Answers {status: queued | joined, n: the number of the job, by: who asked first}
local time = redis.call('TIME')
local since = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSETNX', KEYS[2], ARGV[1], cjson.encode({ since = since }))
local status = 'joined'
if redis.call('HSETNX', KEYS[1], 'state', 'queued') == 1 then
  status = 'queued'
  -- The time, not a counter: the name must not have been used before, though the request was forgotten meanwhile.
  redis.call('HSET', KEYS[1], 'n', since, 'spec', ARGV[2], 'by', ARGV[1])
end
-- Whoever waits asks again and again; a request that nobody repeats (its plan ended before the job was added) ends too.
for i = 1, 2 do redis.call('EXPIRE', KEYS[i], 86400) end
return cjson.encode({ status = status, n = tonumber(redis.call('HGET', KEYS[1], 'n')), by = redis.call('HGET', KEYS[1], 'by') })
