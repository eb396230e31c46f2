-- A plan that ended lies in the blobstore: what is there goes from Redis, and its record names the blob.
--
-- KEYS[1] base   ARGV[1] caller, [2] plan, [3] digest of the blob
-- Answers the first event that is still needed here, or 0: older ones of other plans are, or nothing was changed, as
-- the plan has not ended or lies there already.
local plan = ARGV[2]
local meta = base .. ':plan:' .. plan
local state, blob, first, last = unpack(redis.call('HMGET', meta, 'state', 'blob', 'firstEvent', 'lastEvent'))
if blob or (state ~= 'done' and state ~= 'failed' and state ~= 'cancelled') then return 0 end
redis.call('HSET', meta, 'blob', ARGV[3])
redis.call('HDEL', meta, 'header')
for _, part in ipairs({ 'remodels', 'graph', 'lists', 'state', 'runs', 'reservations' }) do redis.call('UNLINK', key(plan, part)) end
-- Its events may go too where they are the oldest: events have no gap. From here on they are read in the blobstore.
local oldest = redis.call('XRANGE', base .. ':events', '-', '+', 'COUNT', 1)[1]
if not (first and last and oldest) or tonumber(string.match(oldest[1], '%d+')) < tonumber(first) then return 0 end
redis.call('HSET', base .. ':meta', 'trimmed', last)
return tonumber(last) + 1
