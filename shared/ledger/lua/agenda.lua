-- The consequences of a transition, worked off in slices: whatever a plan's size, no script holds Redis for long.
--
-- A task is a list: {'ready', remodel}, {'tell', part, outcome, remodel}, {'roots', part}, {'stop', part}, {'force',
-- part}, {'seat', window}: a permit of it is free, {'hold', permit}. A script puts the tasks of what it changed on
-- its agenda and works them off; when its slice is used up, the rest goes in front of the plan's :todo, from where
-- later scripts go on. Until :todo is empty, what a remodel is may lag behind what it will be, so whatever begins
-- work asks `may_start` itself.

-- How many steps this script has done: a remodel that was released, settled or told.
local spent = 0
-- A task costs this much of a step also where it finds nothing to do: plans that stop leave thousands of such behind.
local task_cost = 0.2
local agenda = {}
-- Done when nothing else is left on the agenda.
local last = {}
local tasks = {}
-- Plans that this script may have changed.
local touched = {}

local function work(plan, ...)
  touched[plan] = true
  agenda[#agenda + 1] = { plan, { ... } }
end

local function work_last(plan, ...)
  touched[plan] = true
  last[#last + 1] = { plan, { ... } }
end

local function carry_out(plan, task)
  spent = spent + task_cost
  tasks[task[1]](plan, unpack(task, 2))
end

-- Puts what is left in front of :todo, in its order.
local function put_off(list, from)
  for i = #list, from, -1 do
    redis.call('LPUSH', key(list[i][1], 'todo'), cjson.encode(list[i][2]))
  end
end

local function work_off()
  local i, j = 1, 1
  local function clear()
    while spent < slice do
      local entry = agenda[i]
      if entry then
        agenda[i], i = false, i + 1
      else
        entry = last[j]
        if not entry then return end
        last[j], j = false, j + 1
      end
      carry_out(entry[1], entry[2])
    end
  end
  clear()
  for plan in pairs(touched) do
    while spent < slice do
      local text = redis.call('LPOP', key(plan, 'todo'))
      if not text then break end
      carry_out(plan, cjson.decode(text))
      clear()
    end
  end
  put_off(last, j)
  put_off(agenda, i)
  agenda, last = {}, {}
end
