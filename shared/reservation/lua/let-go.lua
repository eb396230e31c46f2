-- Takes exclusive names off one ground; a name that is held on no other ground is free then.
--
-- KEYS[1] base (hold.lua names the keys)   ARGV[1] ground   [2] version of the floorplan, or ''
-- [3...] triples: space, name, JSON of the name
-- Answers 1, or 0 where a newer floorplan was taken over already: nothing was changed.
local base, ground = KEYS[1], ARGV[1]
if ARGV[2] ~= '' then
  local deployment = cjson.decode(ground)[1]
  if tonumber(redis.call('HGET', base .. ':versions', deployment) or '-1') > tonumber(ARGV[2]) then return 0 end
end
local names = base .. ':ground:' .. ground
local isChanged = false
for i = 3, #ARGV, 3 do
  if redis.call('SREM', names, ARGV[i + 2]) == 1 then
    local space = base .. ':in:' .. ARGV[i]
    local text = redis.call('HGET', space, ARGV[i + 1])
    local owner = text and cjson.decode(text)
    if owner and owner.n > 1 then
      owner.n = owner.n - 1
      redis.call('HSET', space, ARGV[i + 1], cjson.encode(owner))
    else
      redis.call('HDEL', space, ARGV[i + 1])
    end
    isChanged = true
  end
end
if isChanged then redis.call('SET', base .. ':changed', table.concat(redis.call('TIME'), '.') .. ' ' .. ground) end
if redis.call('SCARD', names) == 0 then redis.call('ZREM', base .. ':open', ground) end
return 1
