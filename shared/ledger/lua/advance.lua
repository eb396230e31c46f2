-- Works off what follows from earlier transitions, and hands out what has room on the queues.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] JSON {queue: how many of the plan may be published there}
-- Answers {released: what is to be published, left: 1 where calling again would do more, due?: milliseconds until a
-- released one may begin}
local plan = ARGV[2]
local meta, out, left = base .. ':plan:' .. plan, {}, 0
local state = plan_state(plan)
if state == 'stored' or state == 'parked' then return cjson.encode({ released = out, left = 0 }) end
for queue, count in pairs(cjson.decode(ARGV[3])) do
  if state and redis.call('HGET', meta, 'allow:' .. queue) ~= tostring(count) then redis.call('HSET', meta, 'allow:' .. queue, count) end
end
conclude({ [plan] = true })
for _, queue in ipairs(cjson.decode(redis.call('HGET', meta, 'queues') or '[]')) do
  if publish(plan, queue, out, 256) then left = 1 end
end
if redis.call('EXISTS', key(plan, 'todo')) == 1 then left = 1 end
local soonest = redis.call('ZRANGE', key(plan, 'later'), 0, 0, 'WITHSCORES')
return cjson.encode({ released = out, left = left, due = soonest[2] and math.max(0, tonumber(soonest[2]) - clock) or nil })
