-- Machines were shown owed fences.
--
-- KEYS[1] base   ARGV[2] JSON list of {material, fence, left: machines that have not answered}
-- Answers how many are still owed. One that was replaced by a larger fence meanwhile stays.
local owed = base .. ':owed'
for _, item in ipairs(cjson.decode(ARGV[2])) do
  local text = redis.call('HGET', owed, item.material)
  if text and cjson.decode(text).fence == item.fence then
    if #item.left == 0 then
      redis.call('HDEL', owed, item.material)
    else
      redis.call('HSET', owed, item.material, cjson.encode({ fence = item.fence, left = item.left }))
    end
  end
end
return redis.call('HLEN', owed)
