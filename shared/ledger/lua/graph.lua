-- The graph of a running plan: shared by all scripts, put in front of each when it is loaded.
--
-- A remodel's states:
--   blocked   some need is not settled yet
--   queued    ready, but its place has no seat in a window yet
--   released  handed out for a queue; nobody has claimed it
--   running   claimed by a worker: has an attempt, a fence and a deadline
--   waiting   an approval that waits for a person
--   done, failed, skipped   settled, final
--
-- blocked -> queued -> released -> running -> done | failed, running -> released (another attempt),
-- and from every unsettled state but running -> skipped, once the plan is failing or cancelling.
--
-- Keys, all below KEYS[1] = <prefix>:{<deployment>} (one hash tag, so one slot of a Redis Cluster):
--   :meta                  hash    seq (last event), floorplan (version), fence (counter), life (of Redis that drew it)
--   :lock                  hash    id, plan, holder, since, message; absent where nobody holds the deployment
--   :line                  zset    who waits for the lock, in the order of arrival
--   :line:<waiter>         string  there while the waiter is; runs out by itself
--   :events                stream  <seq>-0 -> e: JSON; no gaps
--   :floorplan             hash    material id -> JSON
--   :session:<s>           string  fences were drawn for that session; only where Redis does not tell its run_id
--   :plan:<p>              hash    state, total, done, failed, skipped, open, startedAt, finishedAt, ...
--   :plan:<p>:graph        hash    remodel -> JSON {q queue, w when, p place, d dependants, n order, g gate, t seconds, a attempts, m material, x weight}
--   :plan:<p>:remodels     hash    remodel -> JSON as planned
--   :plan:<p>:unmet        hash    remodel -> number of needs not settled
--   :plan:<p>:doomed       hash    blocked remodels that will be skipped: a need of theirs was not done
--   :plan:<p>:state        hash    remodel -> state
--   :plan:<p>:runs         hash    remodel -> JSON {attempt, fence, worker, job, startedAt, finishedAt, deadline, releases, noReturn}
--   :plan:<p>:released     zset    remodel -> time it was released; only while unclaimed
--   :plan:<p>:running      zset    remodel -> deadline; only while running or waiting
--   :plan:<p>:carried      hash    job -> the remodel it carries now, where that is not the one it was published for
--   :plan:<p>:places       hash    windows:<place> JSON, left:<place>, in:<place>
--   :plan:<p>:windows      hash    limit:<window>, used:<window>
--   :plan:<p>:line:<w>     zset    place -> order; places that wait for a seat in window w
--   :plan:<p>:held         hash    place -> JSON list of its ready remodels
--   :plan:<p>:errors       list    JSON {remodel, code, message, log}; root causes only
--
-- Every script takes ARGV[1] = JSON {channel: on which released work is announced; seed, seen, session: see fence.lua;
-- floor: fences are drawn above that counter}, and
-- answers JSON.

local base = KEYS[1]
local caller = cjson.decode(ARGV[1])
local channel = caller.channel
local announced = {}

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local clock = now()

local function event(fields)
  local seq = redis.call('HINCRBY', base .. ':meta', 'seq', 1)
  fields.seq = seq
  fields.at = clock
  redis.call('XADD', base .. ':events', seq .. '-0', 'e', cjson.encode(fields))
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

local function state_of(plan, id)
  return redis.call('HGET', key(plan, 'state'), id)
end

local function run_of(plan, id)
  local text = redis.call('HGET', key(plan, 'runs'), id)
  return text and cjson.decode(text) or { attempt = 0, fence = '0', releases = 0 }
end

local function plan_state(plan)
  return redis.call('HGET', base .. ':plan:' .. plan, 'state')
end

local function put_state(plan, id, state)
  redis.call('HSET', key(plan, 'state'), id, state)
end

-- Work that became ready while others are being settled; a list instead of recursion: chains are long.
local ready_list = {}
-- Windows with free seats or new places in line. Seats are given when all that became ready stands in line: otherwise the
-- next in line would take the seat of the one that just ended from what that one made ready, however urgent it is.
local refill_list = {}
local settle

local function release(plan, id, delay)
  local run = run_of(plan, id)
  run.releases = run.releases + 1
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  put_state(plan, id, 'released')
  redis.call('ZADD', key(plan, 'released'), clock + (delay or 0), id)
  local n = node(plan, id)
  announced[#announced + 1] = { plan = plan, remodel = id, queue = n.q, release = run.releases, weight = n.x, delay = delay or 0 }
end

-- Takes a seat in every window of the place, or none.
local function enter(plan, place)
  local places, windows = key(plan, 'places'), key(plan, 'windows')
  if redis.call('HGET', places, 'in:' .. place) then return true end
  local names = cjson.decode(redis.call('HGET', places, 'windows:' .. place))
  for _, name in ipairs(names) do
    local used = tonumber(redis.call('HGET', windows, 'used:' .. name) or '0')
    if used >= tonumber(redis.call('HGET', windows, 'limit:' .. name)) then return false end
  end
  for _, name in ipairs(names) do redis.call('HINCRBY', windows, 'used:' .. name, 1) end
  redis.call('HSET', places, 'in:' .. place, 1)
  return true
end

local function stand_in_line(plan, place, order)
  local windows = cjson.decode(redis.call('HGET', key(plan, 'places'), 'windows:' .. place))
  for _, name in ipairs(windows) do redis.call('ZADD', key(plan, 'line:' .. name), 'NX', order, place) end
  return windows
end

local function leave_line(plan, place)
  for _, name in ipairs(cjson.decode(redis.call('HGET', key(plan, 'places'), 'windows:' .. place))) do
    redis.call('ZREM', key(plan, 'line:' .. name), place)
  end
end

local function make_ready(plan, id)
  local n = node(plan, id)
  if n.g == 'barrier' then return settle(plan, id, 'done') end
  if n.g == 'approve' then
    put_state(plan, id, 'waiting')
    redis.call('ZADD', key(plan, 'running'), clock + n.t * 1000, id)
    return event({ type = 'remodel.waiting', plan = plan, remodel = id })
  end
  if n.p and not redis.call('HGET', key(plan, 'places'), 'in:' .. n.p) then
    put_state(plan, id, 'queued')
    local held = redis.call('HGET', key(plan, 'held'), n.p)
    held = held and cjson.decode(held) or {}
    held[#held + 1] = id
    redis.call('HSET', key(plan, 'held'), n.p, cjson.encode(held))
    refill_list[#refill_list + 1] = { plan, stand_in_line(plan, n.p, n.n) }
    return
  end
  release(plan, id)
end

-- Gives free seats to the places that wait longest in plan order.
local function refill(plan, windows)
  for _, name in ipairs(windows) do
    local line = key(plan, 'line:' .. name)
    local limit = tonumber(redis.call('HGET', key(plan, 'windows'), 'limit:' .. name))
    local seated
    repeat
      seated = false
      for _, place in ipairs(redis.call('ZRANGE', line, 0, 63)) do
        if tonumber(redis.call('HGET', key(plan, 'windows'), 'used:' .. name) or '0') >= limit then break end
        if enter(plan, place) then
          seated = true
          leave_line(plan, place)
          local held = redis.call('HGET', key(plan, 'held'), place)
          redis.call('HDEL', key(plan, 'held'), place)
          if held then
            for _, id in ipairs(cjson.decode(held)) do
              if state_of(plan, id) == 'queued' then release(plan, id) end
            end
          end
        end
      end
    until not seated
  end
end

local function leave_place(plan, place)
  local places = key(plan, 'places')
  if redis.call('HINCRBY', places, 'left:' .. place, -1) > 0 then return end
  leave_line(plan, place)
  if redis.call('HDEL', places, 'in:' .. place) == 0 then return end
  local windows = cjson.decode(redis.call('HGET', places, 'windows:' .. place))
  for _, name in ipairs(windows) do redis.call('HINCRBY', key(plan, 'windows'), 'used:' .. name, -1) end
  refill_list[#refill_list + 1] = { plan, windows }
end

local function may_start(plan, n)
  local state = plan_state(plan)
  if state == 'running' then return true end
  if state == 'failing' then return n.w ~= 'healthy' end
  return n.w == 'always'
end

-- Makes a remodel final, counts it, gives its seat back and tells its dependants.
settle = function(plan, id, outcome)
  local meta = base .. ':plan:' .. plan
  local n = node(plan, id)
  put_state(plan, id, outcome)
  redis.call('ZREM', key(plan, 'released'), id)
  redis.call('ZREM', key(plan, 'running'), id)
  redis.call('HINCRBY', meta, outcome, 1)
  redis.call('HINCRBY', meta, 'open', -1)
  if n.p then leave_place(plan, n.p) end
  for _, dependant in ipairs(n.d) do
    local left = redis.call('HINCRBY', key(plan, 'unmet'), dependant, -1)
    local d = node(plan, dependant)
    if outcome ~= 'done' and d.w ~= 'always' then redis.call('HSET', key(plan, 'doomed'), dependant, 1) end
    if left == 0 then ready_list[#ready_list + 1] = { plan, dependant } end
  end
end

-- Works off what settling has made ready or hopeless. What is hopeless is skipped when the last of its needs is settled,
-- not sooner: cleanup that comes after it must not begin while something before it still runs.
local function drain()
  local i = 1
  while i <= #ready_list do
    local plan, id = ready_list[i][1], ready_list[i][2]
    i = i + 1
    if state_of(plan, id) == 'blocked' then
      local doomed = redis.call('HDEL', key(plan, 'doomed'), id) == 1
      if doomed or not may_start(plan, node(plan, id)) then settle(plan, id, 'skipped') else make_ready(plan, id) end
    end
  end
  ready_list = {}
  local windows = {}
  for _, entry in ipairs(refill_list) do
    for _, name in ipairs(entry[2]) do
      if not windows[entry[1] .. ' ' .. name] then refill(entry[1], { name }) end
      windows[entry[1] .. ' ' .. name] = true
    end
  end
  refill_list = {}
end

-- The plan stops starting work: what may not start any more is skipped, what runs goes on to its end. What is blocked
-- waits for its needs to be settled and is skipped then (drain).
local function stop_starting(plan, state)
  redis.call('HSET', base .. ':plan:' .. plan, 'state', state)
  local all = redis.call('HGETALL', key(plan, 'state'))
  for i = 1, #all, 2 do
    -- As it is now: the seat that a skipped one gives back may have released what was queued a moment ago.
    local id, s = all[i], state_of(plan, all[i])
    if s == 'queued' or s == 'released' or s == 'waiting' then
      if not may_start(plan, node(plan, id)) then settle(plan, id, 'skipped') end
    end
  end
end

local function fail(plan, id, cause)
  event({ type = 'remodel.failed', plan = plan, remodel = id, worker = cause.worker, attempt = cause.attempt, fence = cause.fence,
    code = cause.code, message = cause.message, log = cause.log, durationMs = cause.durationMs })
  redis.call('RPUSH', key(plan, 'errors'), cjson.encode({ remodel = id, code = cause.code, message = cause.message, log = cause.log }))
  settle(plan, id, 'failed')
  if plan_state(plan) == 'running' then stop_starting(plan, 'failing') end
end

-- Another attempt where one is left, else failed and blamed. What was past its point of no return has to go on in any plan.
local function retry(plan, id, cause)
  local n, run = node(plan, id), run_of(plan, id)
  if run.attempt < n.a and (run.noReturn or may_start(plan, n)) then
    event({ type = 'remodel.retried', plan = plan, remodel = id, worker = cause.worker, attempt = run.attempt, fence = run.fence,
      code = cause.code, message = cause.message })
    redis.call('ZREM', key(plan, 'running'), id)
    return release(plan, id, math.min(100 * 2 ^ (run.attempt - 1), 5000))
  end
  if run.attempt > 1 then cause.message = cause.message .. ' (attempt ' .. run.attempt .. ' of ' .. n.a .. ')' end
  fail(plan, id, cause)
end

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

-- Planners have noticed that this Redis lost writes though it is the same process: data was put back in place.
local function raise_fence()
  local last = tonumber(redis.call('HGET', base .. ':meta', 'fence') or '0')
  if last < caller.floor then redis.call('HSET', base .. ':meta', 'fence', string.format('%.0f', caller.floor)) end
end

-- Hands a released (or, after a lost worker, running) remodel to a worker: next attempt, fence and deadline, in one step.
local function begin(plan, id, worker, job)
  local n, run = node(plan, id), run_of(plan, id)
  run.attempt = run.attempt + 1
  run.fence = draw_fence()
  run.worker = worker
  run.job = job
  run.startedAt = clock
  run.deadline = clock + n.t * 1000
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  put_state(plan, id, 'running')
  redis.call('ZREM', key(plan, 'released'), id)
  redis.call('ZADD', key(plan, 'running'), run.deadline, id)
  event({ type = 'remodel.started', plan = plan, remodel = id, worker = worker, attempt = run.attempt, fence = run.fence })
  return { status = 'claimed', attempt = run.attempt, fence = run.fence, deadline = run.deadline, now = clock,
    session = caller.unsure and caller.session or nil,
    kind = redis.call('HGET', base .. ':plan:' .. plan, 'kind'), remodel = redis.call('HGET', key(plan, 'remodels'), id) }
end

-- The first in line whose process still lives; those that are gone are taken out.
local function first_in_line()
  for _, waiter in ipairs(redis.call('ZRANGE', base .. ':line', 0, -1)) do
    if redis.call('EXISTS', base .. ':line:' .. waiter) == 1 then return waiter end
    redis.call('ZREM', base .. ':line', waiter)
  end
end

-- Gives the lock back and wakes one waiter: the one whose turn it is.
local function unlock()
  redis.call('DEL', base .. ':lock')
  local waiter = first_in_line()
  if waiter then redis.call('PUBLISH', channel .. ':unlocked', waiter) end
end

local function finish_if_settled(plan)
  local meta = base .. ':plan:' .. plan
  if tonumber(redis.call('HGET', meta, 'open')) > 0 then return end
  local state = redis.call('HGET', meta, 'state')
  local final = ({ running = 'done', failing = 'failed', cancelling = 'cancelled' })[state]
  if not final then return end
  redis.call('HSET', meta, 'state', final, 'finishedAt', clock)
  event({ type = 'plan.' .. final, plan = plan })
  if redis.call('HGET', base .. ':lock', 'plan') == plan then unlock() end
  for _, part in ipairs({ 'unmet', 'released', 'running', 'held', 'windows', 'places', 'carried', 'doomed' }) do redis.call('DEL', key(plan, part)) end
end

-- Ends a script: settles everything that follows, announces released work, answers.
local function answer(plans, result)
  drain()
  for plan in pairs(plans) do finish_if_settled(plan) end
  if #announced > 0 then redis.call('PUBLISH', channel, cjson.encode({ base = base, released = announced })) end
  return cjson.encode(result)
end
