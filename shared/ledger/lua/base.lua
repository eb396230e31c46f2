-- The base of all scripts: keys, the clock, events, reading a plan. The header of graph.lua explains every key.
--
-- `slice`, put in front of this, is about how many remodels one script may work off: see agenda.lua.

local base = KEYS[1]
local caller = cjson.decode(ARGV[1])
local channel = caller.channel

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local wall = now()
-- Deadlines and delays go by a clock of the deployment's own, which planners shift when Redis' clock is set
-- (clock.lua); people are shown the wall's.
local shift = tonumber(redis.call('HGET', base .. ':meta', 'shift') or '0')
local clock = wall + shift

local function event(fields)
  local seq = redis.call('HINCRBY', base .. ':meta', 'seq', 1)
  fields.seq = seq
  fields.at = wall
  redis.call('XADD', base .. ':events', seq .. '-0', 'e', cjson.encode(fields))
end

-- An actor (shared/model/actor.ts) for people, from its JSON; what is no JSON is the text of an earlier version.
local function actor_text(json)
  if string.sub(json, 1, 1) ~= '{' then return json end
  local actor = cjson.decode(json)
  local kind = actor.kind == 'person' and '' or actor.kind .. ' '
  return kind .. actor.name .. (actor.via == 'unknown' and '' or ' (' .. actor.via .. ')')
end

-- The same as a value of an event.
local function actor_of(json)
  return string.sub(json, 1, 1) == '{' and cjson.decode(json) or nil
end

local function key(plan, part)
  return base .. ':plan:' .. plan .. ':' .. part
end

local nodes = {}
local function node(plan, id)
  local name = plan .. ' ' .. id
  if nodes[name] == nil then
    local text = redis.call('HGET', key(plan, 'graph'), id)
    nodes[name] = text and cjson.decode(text) or false
  end
  return nodes[name]
end

-- The k-th part of a long list (shared/ledger/graph.ts), or nil behind its end.
local function part_of(plan, k, list)
  local text = redis.call('HGET', key(plan, 'lists'), k .. ' ' .. list)
  return text and cjson.decode(text)
end

local function state_of(plan, id)
  return redis.call('HGET', key(plan, 'state'), id)
end

local function run_of(plan, id)
  local text = redis.call('HGET', key(plan, 'runs'), id)
  return text and cjson.decode(text) or { attempt = 0, fence = '0', releases = 1 }
end

local function put_state(plan, id, state)
  redis.call('HSET', key(plan, 'state'), id, state)
end

-- State of the plan, whether it was ended by force, and whether something of it has ever waited.
local plan_states = {}
local function plan_state(plan)
  if plan_states[plan] == nil then
    local found = redis.call('HMGET', base .. ':plan:' .. plan, 'state', 'forced', 'waited')
    plan_states[plan] = { state = found[1], forced = found[2] == '1', waited = found[3] == '1' }
  end
  return plan_states[plan].state, plan_states[plan].forced, plan_states[plan].waited
end

local function put_plan_state(plan, state, ...)
  redis.call('HSET', base .. ':plan:' .. plan, 'state', state, ...)
  plan_states[plan] = nil
end

local function note_wait(plan)
  local _, _, waited = plan_state(plan)
  if waited then return end
  redis.call('HSET', base .. ':plan:' .. plan, 'waited', 1)
  plan_states[plan] = nil
end

local function may_start(plan, n)
  local state, forced = plan_state(plan)
  if forced then return false end
  if state == 'running' then return true end
  if state == 'failing' then return n.w ~= 'healthy' end
  return state == 'cancelling' and n.w == 'always'
end

-- Whether a released remodel may still be begun: what was past its point of no return has to go on, but by force.
local function may_begin(plan, id)
  if may_start(plan, node(plan, id)) then return true end
  local _, forced = plan_state(plan)
  return not forced and run_of(plan, id).noReturn or false
end
