-- Windows: at most so many places are inside of each at a time.
--
-- Places with the same windows stand in one line, in plan order: whether the first of a line fits says whether any of
-- it does. A line waits at one of its windows that has no free seat; a seat that comes free there calls its lines up in the
-- order of their first places. So where a window has a free seat and nothing is left to do, no line waits at it: each waits
-- at another window that is full, however long the lines are.

local lines = {}
local function windows_of(plan, line)
  local name = plan .. ' ' .. line
  lines[name] = lines[name] or cjson.decode(redis.call('HGET', key(plan, 'places'), 'windows:' .. line))
  return lines[name]
end

local function is_full(plan, window)
  local seats = redis.call('HMGET', key(plan, 'windows'), 'used:' .. window, 'limit:' .. window)
  return tonumber(seats[1] or '0') >= tonumber(seats[2] or '0')
end

local seating = {}
local function seats_come_free(plan, window)
  local name = plan .. ' ' .. window
  if seating[name] then return end
  seating[name] = true
  -- Behind everything that becomes ready meanwhile, however urgent what stands in line already is.
  work_last(plan, 'seat', window)
end

-- Lets a line wait at a window that is full; where none is, at `window` or its first one, which then has a seat for it.
local function wait_at(plan, line, window)
  local places = key(plan, 'places')
  local at = redis.call('HGET', places, 'at:' .. line)
  if at then redis.call('ZREM', key(plan, 'waiting:' .. at), line) end
  local first = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0, 'WITHSCORES')
  if #first == 0 then
    if at then redis.call('HDEL', places, 'at:' .. line) end
    return
  end
  local names, full = windows_of(plan, line), nil
  for _, name in ipairs(names) do
    if is_full(plan, name) then full = name break end
  end
  local chosen = full or window or names[1]
  redis.call('ZADD', key(plan, 'waiting:' .. chosen), first[2], line)
  redis.call('HSET', places, 'at:' .. line, chosen)
  if not full and chosen ~= window then seats_come_free(plan, chosen) end
end

local function stand_in_line(plan, place, order)
  local line = redis.call('HGET', key(plan, 'places'), 'of:' .. place)
  if redis.call('ZADD', key(plan, 'line:' .. line), 'NX', order, place) == 0 then return end
  local first = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0)
  if first[1] == place then wait_at(plan, line) end
end

-- Takes a seat in every window of the place.
local function enter(plan, place, line)
  local windows = key(plan, 'windows')
  for _, name in ipairs(windows_of(plan, line)) do redis.call('HINCRBY', windows, 'used:' .. name, 1) end
  redis.call('HSET', key(plan, 'places'), 'in:' .. place, 1)
end

local function is_inside(plan, place)
  return redis.call('HGET', key(plan, 'places'), 'in:' .. place)
end

-- One remodel less of this place is open; with the last one it leaves its windows, or its line.
local function leave_place(plan, place)
  local places = key(plan, 'places')
  if redis.call('HINCRBY', places, 'left:' .. place, -1) > 0 then return end
  redis.call('DEL', key(plan, 'held:' .. place))
  local line = redis.call('HGET', places, 'of:' .. place)
  if redis.call('HDEL', places, 'in:' .. place) == 0 then
    if redis.call('ZREM', key(plan, 'line:' .. line), place) == 1 then wait_at(plan, line) end
    return
  end
  for _, name in ipairs(windows_of(plan, line)) do
    redis.call('HINCRBY', key(plan, 'windows'), 'used:' .. name, -1)
    seats_come_free(plan, name)
  end
end

-- Gives the free seats of a window to the lines that wait at it.
tasks.seat = function(plan, window)
  seating[plan .. ' ' .. window] = nil
  local waiting = key(plan, 'waiting:' .. window)
  while not is_full(plan, window) do
    local line = redis.call('ZRANGE', waiting, 0, 0)[1]
    if not line then return end
    if spent >= slice then return seats_come_free(plan, window) end
    spent = spent + 1
    local fits = true
    for _, name in ipairs(windows_of(plan, line)) do
      if is_full(plan, name) then fits = false end
    end
    if fits then
      local place = redis.call('ZRANGE', key(plan, 'line:' .. line), 0, 0)[1]
      redis.call('ZREM', key(plan, 'line:' .. line), place)
      enter(plan, place, line)
      tasks.hold(plan, place)
    end
    wait_at(plan, line, window)
  end
end
