-- Adds exclusive names to those that a deployment holds on one ground: all of them, or none where
-- another deployment has one.
--
-- Keys, all below KEYS[1] = <prefix>:{names} (one slot of a Redis Cluster):
--   :in:<space>        hash  name -> JSON {d deployment, p plan, n number of grounds it is held on}
--   :ground:<ground>   set   the names that are held on this ground, each as JSON [type, scope, name]
--   :open              zset  grounds that end with their plan -> when they were taken
--   :versions          hash  deployment -> version of the floorplan that its names were taken over from last
--   :changed           string that is another one after each change of a name; it never comes twice, also where Redis
--                      comes back older
--
-- ARGV[1] ground: JSON [deployment, kind of ground, plan, round]   [2] version of the floorplan, or ''
-- [3] 1: names that others hold are left out instead of refusing all   [4...] triples: space, name, JSON of the name
-- Answers JSON {taken: [{space, name, deployment, plan}], stale: true where a newer floorplan was taken over already}
local base, ground = KEYS[1], ARGV[1]
local of = cjson.decode(ground)
local deployment, plan = of[1], of[3] or ''
if ARGV[2] ~= '' then
  local version = tonumber(redis.call('HGET', base .. ':versions', deployment) or '-1')
  if version > tonumber(ARGV[2]) then return cjson.encode({ stale = true }) end
  redis.call('HSET', base .. ':versions', deployment, ARGV[2])
end
local taken, refused = {}, {}
for i = 4, #ARGV, 3 do
  local text = redis.call('HGET', base .. ':in:' .. ARGV[i], ARGV[i + 1])
  local owner = text and cjson.decode(text)
  if owner and owner.d ~= deployment then
    refused[ARGV[i + 2]] = true
    if #taken < 10 then taken[#taken + 1] = { name = ARGV[i + 2], deployment = owner.d, plan = owner.p } end
  end
end
if #taken > 0 and ARGV[3] ~= '1' then return cjson.encode({ taken = taken }) end
if plan ~= '' then
  local time = redis.call('TIME')
  redis.call('ZADD', base .. ':open', 'NX', time[1], ground)
end
local isChanged = false
for i = 4, #ARGV, 3 do
  if not refused[ARGV[i + 2]] and redis.call('SADD', base .. ':ground:' .. ground, ARGV[i + 2]) == 1 then
    local space = base .. ':in:' .. ARGV[i]
    local text = redis.call('HGET', space, ARGV[i + 1])
    local owner = text and cjson.decode(text) or { d = deployment, p = '', n = 0 }
    if plan ~= '' then owner.p = plan end
    owner.n = owner.n + 1
    redis.call('HSET', space, ARGV[i + 1], cjson.encode(owner))
    isChanged = true
  end
end
if isChanged then redis.call('SET', base .. ':changed', table.concat(redis.call('TIME'), '.') .. ' ' .. ground) end
return cjson.encode({ taken = taken })
