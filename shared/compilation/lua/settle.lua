-- Takes subscribers that got the outcome off a request; without any left it ends.
--
-- KEYS[1] request hash, KEYS[2] its subscribers, KEYS[3] turns hash (join.lua); ARGV: subscribers that got the outcome
-- Answers how many subscribers came meanwhile and must still get it; the request is idle when none did, and is
-- forgotten a day later.
for _, subscriber in ipairs(ARGV) do redis.call('HDEL', KEYS[2], subscriber) end
local left = redis.call('HLEN', KEYS[2])
if left == 0 then
  local asker = redis.call('HGET', KEYS[1], 'asker')
  if asker then
    local own, line, turn = 'of ' .. asker, KEYS[3] .. ':' .. asker, tonumber(redis.call('HGET', KEYS[1], 'turn'))
    for _, field in ipairs({ 'served', own }) do
      redis.call('HSET', KEYS[3], field, math.max(turn, tonumber(redis.call('HGET', KEYS[3], field) or '0')))
    end
    redis.call('ZREM', line, KEYS[1])
    if redis.call('ZCARD', line) == 0 then redis.call('HDEL', KEYS[3], own) end
    -- No subscriber waits: turns are counted from the beginning again.
    if redis.call('HLEN', KEYS[3]) == 1 then redis.call('DEL', KEYS[3]) end
  end
  redis.call('HDEL', KEYS[1], 'state', 'by', 'turn', 'asker')
  redis.call('EXPIRE', KEYS[1], 86400)
elseif redis.call('HEXISTS', KEYS[2], redis.call('HGET', KEYS[1], 'by') or '') == 0 then
  -- It is now made for the earliest of the subscribers that are left.
  local first, earliest
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local since = cjson.decode(all[i + 1]).since
    if not first or since < earliest or (since == earliest and all[i] < first) then first, earliest = all[i], since end
  end
  redis.call('HSET', KEYS[1], 'by', first)
end
return left
