-- The graph of a running plan. base.lua, agenda.lua, outlet.lua, windows.lua, attempts.lua, this, waits.lua and
-- park.lua are put in front of every script.
--
-- A remodel's states:
--   blocked   some need is not settled yet
--   queued    ready, but it has no permit of a window yet
--   released  free for a worker; in the backlog until there is room in its queue (outlet.lua)
--   running   claimed by a worker: has an attempt, a fence and a deadline
--   waiting   an approval that waits for a person, a gate for its moment, or a step that is looked at again later (waits.lua)
--   done, failed, skipped   settled, final
--
-- blocked -> queued -> released -> running -> done | failed, running -> released (another attempt), running -> waiting
-- -> released, and from every unsettled state but running -> skipped, once the plan is failing or cancelling.
--
-- Keys, all below KEYS[1] = <prefix>:{<deployment>} (one hash tag, so one slot of a Redis Cluster):
--   :meta                  hash    seq (last event), floorplan (version), opened (plan, last), orders (last version), fence (counter), life (of Redis that drew it), shift (clock.lua)
--   :lock                  hash    id, plan, holder (JSON of an actor), since, message, clock (of the deployment, at that time); absent where the deployment is not held
--   :line                  zset    who waits for the lock, in the order of arrival
--   :line:<waiter>         string  who waits: JSON of an actor; there while the waiter is, runs out by itself
--   :parked                zset    plan that is open without the lock -> time from which it wants it (park.lua)
--   :orders                hash    version -> JSON {plan, blob, at, by, message}; standing orders, the last hundred
--   :owed                  hash    material -> JSON {fence, left: machines that have not answered}; fences that machines must be shown
--   :events                stream  <seq>-0 -> e: JSON; no gaps
--   :floorplan             hash    material id -> JSON
--   :session:<s>           string  fences were drawn for that session; only where Redis does not tell its run_id
--   :plan:<p>              hash    state, total, done, failed, skipped, open, startedAt, finishedAt, ...
--   :plan:<p>:graph        hash    remodel -> JSON {q queue, w when, p permit, d dependants (the first of them where there are many),
--                                  n order, g kind of what has no worker, o opens, c closes, t seconds, a
--                                  attempts, m material, x weight}
--   :plan:<p>:lists        hash    <k> <list> -> JSON: part k of a long list: order, roots, dependants <remodel>, needs <remodel>
--   :plan:<p>:remodels     hash    remodel -> JSON as planned; without its needs where they are many
--   :plan:<p>:todo         list    JSON tasks that follow from what was recorded and are not worked off yet (agenda.lua)
--   :plan:<p>:unmet        hash    remodel -> number of needs not settled
--   :plan:<p>:doomed       hash    blocked remodels that will be skipped: a need of theirs was not done
--   :plan:<p>:state        hash    remodel -> state
--   :plan:<p>:runs         hash    remodel -> JSON {attempt, losses, fence, worker, job, startedAt, finishedAt, deadline, releases, noReturn, abandoned, waits, looks: its next attempt looks again, said: by a look}
--   :plan:<p>:backlog:<q>  zset    released remodel -> rank; not published yet
--   :plan:<p>:published:<q> zset   released remodel -> time it was published; only while unclaimed
--   :plan:<p>:later        zset    released or waiting remodel -> time from which it may begin
--   :plan:<p>:waits        zset    remodel that waits, or did -> deadline of the whole wait
--   :plan:<p>:running      zset    remodel -> deadline; only while running, or while an approval waits; of a gate that waits: when it may open
--   :plan:<p>:carried      hash    job -> the remodel it carries now, where that is not the one it was published for
--   :plan:<p>:places       hash    of:<permit> its line, windows:<line> JSON, at:<line> the window it waits at, left:<permit>, in:<permit>
--   :plan:<p>:windows      hash    limit:<window>, used:<window>
--   :plan:<p>:line:<n>     zset    permit -> order; permits of the same windows that are waited for
--   :plan:<p>:waiting:<w>  zset    line -> order of its first permit; lines that wait for one of window w
--   :plan:<p>:held:<permit> list   its ready remodels, while it waits
--   :plan:<p>:errors       list    JSON {remodel, code, message, log}; root causes only
--
-- Every script takes ARGV[1] = JSON {channel: on which released work is announced; seed, seen, session: see fence.lua;
-- floor: fences are drawn above that counter; parkAfterMs: see park.lua}, and
-- answers JSON.

local settle, fail, park_if_idle

-- A gate opens at a moment. It is measured by both clocks: by Redis', which may have been set right, and by the
-- deployment's, which goes on as before when that one is set (clock.lua). So a clock that is set may open a gate
-- later, but never too soon.
local function wait_for_moment(plan, id, n)
  redis.call('ZADD', key(plan, 'running'), clock + math.max(0, n.o - wall), id)
end

local function open_gate(plan, id, n)
  if n.c and wall > n.c then
    return fail(plan, id, { code = 'deadline', message = 'it was to begin in a time that was over before it could' })
  end
  event({ type = 'remodel.done', plan = plan, remodel = id })
  settle(plan, id, 'done')
end

local function make_ready(plan, id)
  local n = node(plan, id)
  if n.g == 'barrier' then return settle(plan, id, 'done') end
  if n.g == 'approve' then
    spent = spent + 1
    put_state(plan, id, 'waiting')
    note_wait(plan)
    redis.call('ZADD', key(plan, 'running'), clock + n.t * 1000, id)
    return event({ type = 'remodel.waiting', plan = plan, remodel = id })
  end
  if n.g == 'gate' then
    if n.o <= wall then return open_gate(plan, id, n) end
    spent = spent + 1
    put_state(plan, id, 'waiting')
    note_wait(plan)
    wait_for_moment(plan, id, n)
    return event({ type = 'remodel.waiting', plan = plan, remodel = id })
  end
  if n.p and not is_held(plan, n.p) then
    spent = spent + 1
    put_state(plan, id, 'queued')
    redis.call('RPUSH', key(plan, 'held:' .. n.p), id)
    return stand_in_line(plan, n.p, n.n)
  end
  release(plan, id)
end

-- A permit is given: what waited for it is released.
tasks.hold = function(plan, permit)
  while spent < slice do
    local id = redis.call('LPOP', key(plan, 'held:' .. permit))
    if not id then return end
    spent = spent + task_cost
    if state_of(plan, id) == 'queued' then
      if may_start(plan, node(plan, id)) then release(plan, id) else settle(plan, id, 'skipped') end
    end
  end
  work(plan, 'hold', permit)
end

-- Tells dependants of one that was settled.
local function tell(plan, dependants, outcome)
  for _, dependant in ipairs(dependants) do
    spent = spent + 1
    local left = redis.call('HINCRBY', key(plan, 'unmet'), dependant, -1)
    if outcome ~= 'done' and node(plan, dependant).w ~= 'always' then redis.call('HSET', key(plan, 'doomed'), dependant, 1) end
    if left == 0 then work(plan, 'ready', dependant) end
  end
end

-- Part -1 of the dependants stands in the graph itself.
tasks.tell = function(plan, k, outcome, id)
  local dependants = part_of(plan, k, 'dependants ' .. id)
  if k < 0 then dependants = node(plan, id).d end
  if not dependants then return end
  tell(plan, dependants, outcome)
  if node(plan, id).more then work(plan, 'tell', k + 1, outcome, id) end
end

-- Work begins and ends: whatever its outcome, the floorplan of a plan that was drawn before may be out of date. A
-- script counts once, before the first change: in between, no plan is opened.
local moved = false
local function floorplan_may_have_moved()
  if moved then return end
  moved = true
  redis.call('HINCRBY', base .. ':meta', 'floorplan', 1)
end

local waited = {}
local function has_waits(plan)
  if waited[plan] == nil then waited[plan] = redis.call('EXISTS', key(plan, 'waits')) == 1 end
  return waited[plan]
end

-- Makes a remodel final, counts it, gives its permit back and tells its dependants.
settle = function(plan, id, outcome)
  spent = spent + 1
  touched[plan] = true
  local meta = base .. ':plan:' .. plan
  local n, was = node(plan, id), state_of(plan, id)
  put_state(plan, id, outcome)
  if was == 'released' then withdraw(plan, id, n) end
  if was == 'running' or was == 'waiting' then redis.call('ZREM', key(plan, 'running'), id) end
  if was == 'waiting' then redis.call('ZREM', key(plan, 'later'), id) end
  if has_waits(plan) then redis.call('ZREM', key(plan, 'waits'), id) end
  if was == 'running' then floorplan_may_have_moved() end
  local _, forced = plan_state(plan)
  if was == 'running' and forced then abandon(plan, id) end
  if outcome ~= 'done' then owe(plan, id) end
  redis.call('HINCRBY', meta, outcome, 1)
  redis.call('HINCRBY', meta, 'open', -1)
  if n.p then give_back(plan, n.p) end
  -- By force everything is settled one by one: there is no need to announce it.
  if forced then return end
  if n.more or spent >= slice then return work(plan, 'tell', -1, outcome, id) end
  tell(plan, n.d, outcome)
end

-- All needs of a remodel are settled. A hopeless one is skipped now, not sooner: cleanup that comes after it must not
-- begin while something before it still runs.
tasks.ready = function(plan, id)
  if state_of(plan, id) ~= 'blocked' then return end
  local doomed = redis.call('HDEL', key(plan, 'doomed'), id) == 1
  if doomed or not may_start(plan, node(plan, id)) then settle(plan, id, 'skipped') else make_ready(plan, id) end
end

tasks.roots = function(plan, k)
  local roots = part_of(plan, k, 'roots')
  if not roots then return end
  for _, id in ipairs(roots) do work(plan, 'ready', id) end
  work(plan, 'roots', k + 1)
end

-- Skips what may not start any more and is in one of these states, part by part of the plan.
local function skip(task, plan, k, which)
  local ids = part_of(plan, k, 'order')
  if not ids then return end
  spent = spent + 5
  local states = redis.call('HMGET', key(plan, 'state'), unpack(ids))
  for i, id in ipairs(ids) do
    -- As it is now: the permit that a skipped one gives back may have released what was queued a moment ago.
    if which[states[i]] and not may_begin(plan, id) and which[state_of(plan, id)] then
      settle(plan, id, 'skipped')
      if spent >= slice then return work(plan, task, k) end
    end
  end
  work(plan, task, k + 1)
end

-- The plan has stopped starting work: remodels that may not start any more are skipped, running ones go on to their
-- end. What is blocked waits for its needs to be settled and is skipped then.
tasks.stop = function(plan, k)
  skip('stop', plan, k, { queued = true, released = true, waiting = true })
end

tasks.force = function(plan, k)
  skip('force', plan, k, { blocked = true, queued = true, released = true, waiting = true, running = true })
end

local function stop_starting(plan, state)
  put_plan_state(plan, state)
  work(plan, 'stop', 0)
end

-- Messages and logs of scripts have no bound by themselves. Of a log the end matters, of a message the beginning.
local function last_of(text, bytes)
  if not text or #text <= bytes then return text end
  local from = #text - bytes + 1
  -- Not in the middle of a character of UTF-8.
  while from <= #text and string.byte(text, from) >= 128 and string.byte(text, from) < 192 do from = from + 1 end
  return '...' .. string.sub(text, from)
end

local function first_of(text, bytes)
  if not text or #text <= bytes then return text end
  while bytes > 0 and string.byte(text, bytes + 1) >= 128 and string.byte(text, bytes + 1) < 192 do bytes = bytes - 1 end
  return string.sub(text, 1, bytes) .. '...'
end

fail = function(plan, id, cause)
  cause.message, cause.log = first_of(cause.message, 4096), last_of(cause.log, 16384)
  event({ type = 'remodel.failed', plan = plan, remodel = id, worker = cause.worker, attempt = cause.attempt, fence = cause.fence,
    code = cause.code, message = cause.message, log = cause.log, durationMs = cause.durationMs })
  -- A hundred thousand packages may fail for one reason: the first hundred are kept in full, the others are counted.
  if redis.call('LLEN', key(plan, 'errors')) < 100 then
    redis.call('RPUSH', key(plan, 'errors'), cjson.encode({ remodel = id, code = cause.code, message = cause.message, log = cause.log }))
  else
    redis.call('HINCRBY', base .. ':plan:' .. plan, 'moreErrors', 1)
  end
  settle(plan, id, 'failed')
  if plan_state(plan) == 'running' then stop_starting(plan, 'failing') end
end

-- Another attempt where one is left, else failed and blamed. A remodel past its point of no return
-- has to go on in any plan.
local function retry(plan, id, cause)
  cause.message = first_of(cause.message, 4096)
  local n, run = node(plan, id), run_of(plan, id)
  if run.attempt < n.a and (run.noReturn or may_start(plan, n)) then
    event({ type = 'remodel.retried', plan = plan, remodel = id, worker = cause.worker, attempt = run.attempt, fence = run.fence,
      code = cause.code, message = cause.message })
    redis.call('ZREM', key(plan, 'running'), id)
    touched[plan] = true
    floorplan_may_have_moved()
    return release(plan, id, math.min(100 * 2 ^ (run.attempt - 1), 5000))
  end
  if run.attempt > 1 then cause.message = cause.message .. ' (attempt ' .. run.attempt .. ' of ' .. n.a .. ')' end
  fail(plan, id, cause)
end

-- Losses have a budget of their own: what lost its worker by a stall is innocent, but must not go round for ever.
local most_losses = 1000

local function lost_too_often(plan, id)
  local run = run_of(plan, id)
  if (run.losses or 0) < most_losses then return false end
  fail(plan, id, { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure',
    message = id .. ' was lost by workers that live ' .. most_losses .. ' times' })
  return true
end

-- A worker that lives lets go of a remodel that it did not end: no attempt is used. Of one that was refused for its
-- fence (`superseded`) a larger one is drawn.
local function give_back(plan, id, cause)
  local n, run = node(plan, id), run_of(plan, id)
  -- Nothing new starts in its plan, and no remodel is to blame.
  if not run.noReturn and not may_start(plan, n) then return settle(plan, id, 'skipped') end
  event({ type = 'remodel.retried', plan = plan, remodel = id, worker = cause.worker, attempt = run.attempt, fence = run.fence,
    code = cause.code, message = cause.message })
  run.attempt = run.attempt - 1
  run.losses = (run.losses or 0) + 1
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  redis.call('ZREM', key(plan, 'running'), id)
  touched[plan] = true
  floorplan_may_have_moved()
  if cause.code == 'superseded' then leap_ahead(run.losses) end
  if not lost_too_often(plan, id) then release(plan, id, cause.code == 'superseded' and math.min(100 * 2 ^ math.min(run.losses - 1, 10), 5000) or 0) end
end

-- Kind and format of a plan, which do not change.
local kinds = {}
local function kind_of(plan)
  kinds[plan] = kinds[plan] or redis.call('HMGET', base .. ':plan:' .. plan, 'kind', 'format')
  return kinds[plan][1], tonumber(kinds[plan][2] or '1')
end

-- Hands a released (or, after a lost worker, running) remodel to a worker: next attempt, fence and deadline, in one
-- step. `how.lost`: its worker lost it by a stall; the attempt is the same one. `how.joins`: it only waits for what
-- is done for another one.
local function begin(plan, id, worker, job, how)
  local n, run, was = node(plan, id), run_of(plan, id), state_of(plan, id)
  touched[plan] = true
  if how and how.lost then run.losses = (run.losses or 0) + 1 else run.attempt = run.attempt + 1 end
  -- A look at what is waited for, which may be one of thousands, changes nothing unless it ends otherwise
  -- than by the same wait.
  local looks = run.looks and was ~= 'running'
  if not looks then
    floorplan_may_have_moved()
    redis.call('HDEL', base .. ':plan:' .. plan, 'parked')
  end
  run.fence = draw_fence()
  run.worker = worker
  run.job = job
  run.joins = how and how.joins or nil
  run.startedAt = run.waits and run.startedAt or wall
  run.deadline = clock + n.t * 1000
  -- A look has a minute, however near the end of its wait: the clock may just have been set, and no
  -- planner has noticed yet.
  if run.waits and run.waits.deadline then run.deadline = math.max(run.waits.deadline, clock + math.min(n.t, 60) * 1000) end
  redis.call('HSET', key(plan, 'runs'), id, cjson.encode(run))
  put_state(plan, id, 'running')
  if was == 'released' then withdraw(plan, id, n) end
  redis.call('ZADD', key(plan, 'running'), run.deadline, id)
  if not looks then
    event({ type = 'remodel.started', plan = plan, remodel = id, worker = worker, attempt = run.attempt, fence = run.fence })
  end
  local kind, format = kind_of(plan)
  return { status = 'claimed', attempt = run.attempt, release = run.releases or 1, fence = run.fence, deadline = run.deadline, now = clock,
    format = format,
    session = caller.unsure and caller.session or nil, owes = redis.call('EXISTS', base .. ':owed') == 1 or nil,
    kind = kind, remodel = redis.call('HGET', key(plan, 'remodels'), id) }
end

local in_line_ms = 3000
-- The first in line whose process still lives; those that are gone are taken out. A sign of life that ends later than
-- any is given was left before Redis' clock was set back: it is shortened, and a process that lives gives it anew.
local function first_in_line()
  for _, waiter in ipairs(redis.call('ZRANGE', base .. ':line', 0, -1)) do
    local sign = base .. ':line:' .. waiter
    redis.call('PEXPIRE', sign, in_line_ms, 'LT')
    if redis.call('EXISTS', sign) == 1 then return waiter end
    redis.call('ZREM', base .. ':line', waiter)
  end
end

-- Gives the lock back and wakes one waiter: the one whose turn it is.
local function unlock()
  redis.call('DEL', base .. ':lock')
  local waiter = first_in_line()
  if waiter then redis.call('PUBLISH', channel .. ':unlocked', waiter) end
end

-- Keys that are needed only while a plan is carried out.
local function let_go_of_work(plan)
  for _, part in ipairs({ 'todo', 'unmet', 'later', 'waits', 'running', 'windows', 'places', 'carried', 'doomed' }) do redis.call('UNLINK', key(plan, part)) end
end

local function finish_if_settled(plan)
  local meta = base .. ':plan:' .. plan
  local state = plan_state(plan)
  local final = ({ running = 'done', failing = 'failed', cancelling = 'cancelled' })[state]
  local holds = redis.call('HGET', base .. ':lock', 'plan') == plan
  -- A plan that is gone, or was over before its lock was given back, holds nothing.
  if not final then
    if holds and state ~= 'stored' then unlock() end
    return
  end
  if tonumber(redis.call('HGET', meta, 'open')) > 0 then return end
  put_plan_state(plan, final, 'finishedAt', wall)
  event({ type = 'plan.' .. final, plan = plan })
  redis.call('HSET', meta, 'lastEvent', redis.call('HGET', base .. ':meta', 'seq'))
  if holds then unlock() end
  redis.call('ZREM', base .. ':parked', plan)
  let_go_of_work(plan)
end

-- Ends a script: works off what follows, publishes what has room, and answers what a worker or planner reads.
local function conclude(plans)
  for plan in pairs(plans) do touched[plan] = true end
  work_off()
  for plan in pairs(touched) do
    finish_if_settled(plan)
    ripen(plan)
    park_if_idle(plan)
  end
  if owes then redis.call('PUBLISH', channel .. ':owing', cjson.encode({ base = base })) end
end

local function answer(plans, result)
  conclude(plans)
  announce()
  return cjson.encode(result)
end
