-- Windows: at most so many permits of each are held at a time. Keys call permits places, as the version before did.
--
-- Permits of the same windows stand in one line, in plan order: whether the first of a line fits says whether any of it
-- does. A line waits at one of its windows that has no free permit; one that comes free there calls its lines up in the
-- order of their first permits. So where a window has a free permit and nothing is left to do, no line waits at it:
-- each waits at another window that is full, however long the lines are.

local lines = {}
local function windows_of(plan, line)
  local name = plan .. ' ' .. line
  lines[name] = lines[name] or cjson.decode(redis.call('HGET', key(plan, 'places'), 'windows:' .. line))
  return lines[name]
end

local function is_full(plan, window)
  local held = redis.call('HMGET', key(plan, 'windows'), 'used:' .. window, 'limit:' .. window)
  return tonumber(held[1] or '0') >= tonumber(held[2] or '0')
end

local freeing = {}
local function permits_come_free(plan, window)
  local name = plan .. ' ' .. window
  if freeing[name] then return end
  freeing[name] = true
  -- Behind everything that becomes ready meanwhile, however urgent the remodels in line already are.
  work_last(plan, 'seat', window)
end

-- Lets a line wait at a window that is full; where none is, at `window` or its first one, which
-- then has a permit for it.
local function wait_at(plan, line, window)
  local permits = key(plan, 'places')
  local at = redis.call('HGET', permits, 'at:' .. line)
  if at then redis.call('ZREM', key(plan, 'waiting:' .. at), line) end
  local first = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0, 'WITHSCORES')
  if #first == 0 then
    if at then redis.call('HDEL', permits, 'at:' .. line) end
    return
  end
  local names, full = windows_of(plan, line), nil
  for _, name in ipairs(names) do
    if is_full(plan, name) then full = name break end
  end
  local chosen = full or window or names[1]
  redis.call('ZADD', key(plan, 'waiting:' .. chosen), first[2], line)
  redis.call('HSET', permits, 'at:' .. line, chosen)
  if not full and chosen ~= window then permits_come_free(plan, chosen) end
end

local function stand_in_line(plan, permit, order)
  local line = redis.call('HGET', key(plan, 'places'), 'of:' .. permit)
  if redis.call('ZADD', key(plan, 'line:' .. line), 'NX', order, permit) == 0 then return end
  local first = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0)
  if first[1] == permit then wait_at(plan, line) end
end

-- Takes a permit of every window of it.
local function take(plan, permit, line)
  local windows = key(plan, 'windows')
  for _, name in ipairs(windows_of(plan, line)) do redis.call('HINCRBY', windows, 'used:' .. name, 1) end
  redis.call('HSET', key(plan, 'places'), 'in:' .. permit, 1)
end

local function is_held(plan, permit)
  return redis.call('HGET', key(plan, 'places'), 'in:' .. permit)
end

-- One remodel less of this permit is open; with the last one it is given back, or leaves its line.
local function give_back(plan, permit)
  local permits = key(plan, 'places')
  if redis.call('HINCRBY', permits, 'left:' .. permit, -1) > 0 then return end
  redis.call('DEL', key(plan, 'held:' .. permit))
  local line = redis.call('HGET', permits, 'of:' .. permit)
  if redis.call('HDEL', permits, 'in:' .. permit) == 0 then
    if redis.call('ZREM', key(plan, 'line:' .. line), permit) == 1 then wait_at(plan, line) end
    return
  end
  for _, name in ipairs(windows_of(plan, line)) do
    redis.call('HINCRBY', key(plan, 'windows'), 'used:' .. name, -1)
    permits_come_free(plan, name)
  end
end

-- Gives the free permits of a window to the lines that wait at it.
-- Stored as `seat`, which is what the version before called it.
tasks.seat = function(plan, window)
  freeing[plan .. ' ' .. window] = nil
  local waiting = key(plan, 'waiting:' .. window)
  while not is_full(plan, window) do
    local line = redis.call('ZRANGE', waiting, 0, 0)[1]
    if not line then return end
    if spent >= slice then return permits_come_free(plan, window) end
    spent = spent + 1
    local fits = true
    for _, name in ipairs(windows_of(plan, line)) do
      if is_full(plan, name) then fits = false end
    end
    if fits then
      local permit = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0)[1]
      redis.call('ZREM', key(plan, 'line:' .. line), permit)
      take(plan, permit, line)
      tasks.hold(plan, permit)
    end
    wait_at(plan, line, window)
  end
end
