-- Ends attempts that no worker will end: deadlines that have passed, workers that are gone together with their job. An
-- attempt gets another one or fails; an approval that was not given in time fails, and so does a wait in vain; a gate
-- opens. What only waited for the work of another remodel loses no attempt with its worker.
--
-- An attempt whose worker lives is ended by that worker, in whose process time cannot step; here it is only for one
-- that does not come to its end at all.
--
-- KEYS[1] base   ARGV[1] channel, [2] plan, [3] grace in milliseconds that an attempt has to report by itself,
--   [4] JSON {gone, alive: workers; now?: the deployment's time a moment ago}
-- Answers the list of remodels concerned: at most about a slice of them. Where it is not empty there may be more.
local plan, grace, known = ARGV[2], tonumber(ARGV[3]), cjson.decode(ARGV[4])
local patience = 60000
-- Deadlines of a plan without the lock are looked at when it has the lock (resume.lua).
if plan_state(plan) == 'parked' then return '[]' end
-- Redis' clock has just been set: the next sweep will have noticed.
if known.now and math.abs(clock - known.now) > patience then return '[]' end
local gone, alive = {}, {}
for _, worker in ipairs(known.gone) do gone[worker] = true end
for _, worker in ipairs(known.alive) do alive[worker] = true end
raise_fence()
local fired = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(plan, 'running'), '-inf', clock - grace, 'LIMIT', 0, 100)) do
  if spent >= slice then break end
  local n, run, state = node(plan, id), run_of(plan, id), state_of(plan, id)
  if state == 'running' and alive[run.worker] and run.deadline > clock - grace - patience then state = 'left to its worker' end
  if state == 'running' and run.joins and gone[run.worker] then state = 'gone with its worker' end
  -- The failure of one before it may have settled it already.
  if state == 'running' or state == 'waiting' then fired[#fired + 1] = id end
  if state == 'waiting' and not may_start(plan, n) then
    settle(plan, id, 'skipped')
  elseif state == 'waiting' and n.g == 'gate' then
    if n.o <= wall then open_gate(plan, id, n) else wait_for_moment(plan, id, n) end
  elseif state == 'waiting' then
    fail(plan, id, { code = 'deadline', message = 'it was not approved within ' .. n.t .. ' s' })
  elseif state == 'running' then
    abandon(plan, id)
    retry(plan, id, { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'deadline', message = 'did not end within ' .. n.t .. ' s' })
  end
end
end_waits(plan, clock - grace, fired)
if #known.gone > 0 then
  for _, id in ipairs(redis.call('ZRANGE', key(plan, 'running'), 0, -1)) do
    local run = run_of(plan, id)
    if run.worker and gone[run.worker] and spent < slice and state_of(plan, id) == 'running' then
      fired[#fired + 1] = id
      abandon(plan, id)
      local cause = { worker = run.worker, attempt = run.attempt, fence = run.fence, code = 'infrastructure', message = 'its worker ' .. run.worker .. ' is gone' }
      if run.joins then give_back(plan, id, cause, 0) else retry(plan, id, cause) end
    end
  end
end
return answer({ [plan] = true }, fired)
