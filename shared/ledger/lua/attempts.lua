-- Fences of attempts: the next one is drawn, and those of attempts that others ended are owed to machines.

-- Whether this life of Redis has drawn fences of this deployment; from now on it has.
local function enter_life(life)
  if life then
    if redis.call('HGET', base .. ':meta', 'life') == life then return true end
    redis.call('HSET', base .. ':meta', 'life', life)
    return false
  end
  caller.unsure = true
  return not redis.call('SET', base .. ':session:' .. caller.session, 1, 'EX', 86400, 'NX')
end

local life_is_known

-- The next fence of this deployment: one counter for all of its materials.
local function draw_fence()
  local life
  if life_is_known == nil then
    life = life_of_redis()
    life_is_known = enter_life(life)
  end
  local last = tonumber(redis.call('HGET', base .. ':meta', 'fence') or '0')
  local counter = next_counter(last, life_is_known, caller.seen, life)
  life_is_known = true
  redis.call('HSET', base .. ':meta', 'fence', string.format('%.0f', counter))
  caller.seed = caller.seed + 1
  return fence_text(counter, caller.seed)
end

-- Planners have noticed that this Redis lost writes though it is the same process: data was put back in place. The
-- floor is the largest counter that was seen, rounded up. Where that is only the rounding ahead of the clock, the clock
-- is enough: a counter beyond it would be the same for every later life that begins from here.
local function raise_fence()
  local last = tonumber(redis.call('HGET', base .. ':meta', 'fence') or '0')
  local ahead = clock_counter() + an_hour
  local floor = caller.floor - 2 ^ 22 > ahead and caller.floor or math.min(caller.floor, ahead)
  if last < floor then redis.call('HSET', base .. ':meta', 'fence', string.format('%.0f', floor)) end
end

-- An attempt is *abandoned* when others end it: its worker may still be at work. As long as another attempt of
-- the remodel comes, that one shows its larger fence. Where none comes, the deployment *owes* a fence: a number
-- that machines must be shown before anything else is done for the deployment (shared/ledger/owed.ts), so that
-- the late worker is refused.
local function abandon(plan, id)
  local run = run_of(plan, id)
  run.abandoned = true
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
end

local owes = false

local function owe(plan, id)
  local n = node(plan, id)
  -- A package is compiled under the fence of the claim on its key.
  if n.q == 'compile' or not run_of(plan, id).abandoned then return end
  redis.call('HSET', base .. ':owed', n.m, cjson.encode({ fence = draw_fence() }))
  owes = true
end

-- A machine has seen a larger fence than the current one, from a history that this Redis has lost: the next one is
-- drawn as in a new life, and an hour further each time that it is not enough.
local function leap_ahead(times)
  local last = tonumber(redis.call('HGET', base .. ':meta', 'fence') or '0')
  local next = next_counter(last, false, caller.seen, true)
  if times > 1 then next = math.max(next, last + an_hour) end
  redis.call('HSET', base .. ':meta', 'fence', string.format('%.0f', next))
end
