/**
 * Single-line sabotages of what the guarantees rest on. Each must be caught by a test: a guarantee whose mechanism can be
 * taken out without any test failing is only a hope. `docs/guarantees.md` lists them.
 */
export interface Sabotage {
  name: string
  file: string
  /** Must stand in the file exactly once. */
  find: string
  replace: string
  /** The test file that has to fail. */
  caughtBy: string
}

export const sabotages: readonly Sabotage[] = [
  {
    name: 'a report is not checked against the fence',
    file: 'shared/ledger/lua/complete.lua',
    find: "if state_of(c.plan, c.remodel) ~= 'running' or run.fence ~= c.fence then",
    replace: "if state_of(c.plan, c.remodel) ~= 'running' then",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a need is counted down twice',
    file: 'shared/ledger/lua/graph.lua',
    find: "local left = redis.call('HINCRBY', key(plan, 'unmet'), dependant, -1)",
    replace: "local left = redis.call('HINCRBY', key(plan, 'unmet'), dependant, -2)",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a seat that is taken is not counted',
    file: 'shared/ledger/lua/graph.lua',
    find: "redis.call('HINCRBY', windows, 'used:' .. name, 1)",
    replace: "redis.call('HINCRBY', windows, 'used:' .. name, 0)",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a fence does not grow',
    file: 'shared/ledger/lua/graph.lua',
    find: "run.fence = epoch * 1e9 + redis.call('HINCRBY', base .. ':fences', n.m, 1)",
    replace: "run.fence = epoch * 1e9 + redis.call('HINCRBY', base .. ':fences', n.m, 0) + 1",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'events leave a gap',
    file: 'shared/ledger/lua/graph.lua',
    find: "local seq = redis.call('HINCRBY', base .. ':meta', 'seq', 1)",
    replace: "local seq = redis.call('HINCRBY', base .. ':meta', 'seq', 2)",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a plan that is failing goes on starting work',
    file: 'shared/ledger/lua/graph.lua',
    find: "if plan_state(plan) == 'running' then stop_starting(plan, 'failing') end",
    replace: "if plan_state(plan) == 'never' then stop_starting(plan, 'failing') end",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'attempts have no end',
    file: 'shared/ledger/lua/graph.lua',
    find: 'if run.attempt < n.a and may_start(plan, n) then',
    replace: 'if may_start(plan, n) then',
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'another job may take a running remodel away',
    file: 'shared/ledger/lua/claim.lua',
    find: "(state == 'running' and run.job == job)",
    replace: "(state == 'running')",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a plan is opened though the floorplan moved',
    file: 'shared/ledger/lua/open.lua',
    find: "if version ~= redis.call('HGET', meta, 'floorplan') then",
    replace: "if version == 'never' then",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a second plan is opened beside the first',
    file: 'shared/ledger/lua/open.lua',
    find: "if redis.call('EXISTS', lock) == 1 then",
    replace: "if redis.call('EXISTS', lock) == 2 then",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'deadlines of attempts do not fire',
    file: 'shared/ledger/lua/expire.lua',
    find: "'-inf', clock - grace, 'LIMIT', 0, 100",
    replace: "'-inf', 0, 'LIMIT', 0, 100",
    caughtBy: 'test/ledger/ledger.test.ts',
  },
  {
    name: 'a Redis that came back older begins no new epoch',
    file: 'shared/ledger/lua/epoch.lua',
    find: 'if beat < seen then',
    replace: 'if beat < 0 then',
    caughtBy: 'test/ledger/redis-rules.test.ts',
  },
  {
    name: 'a result is recorded under an old fence',
    file: 'shared/compile/lua/record.lua',
    find: "if number ~= ARGV[3] then return 'superseded' end",
    replace: "if number == 'never' then return 'superseded' end",
    caughtBy: 'test/compile/requests.test.ts',
  },
  {
    name: 'a request ends while somebody has not been told',
    file: 'shared/compile/lua/settle.lua',
    find: "local left = redis.call('HLEN', KEYS[2])",
    replace: 'local left = 0',
    caughtBy: 'test/compile/requests.test.ts',
  },
  {
    name: 'an expired lock is used',
    file: 'shared/lock/claims.ts',
    find: 'if (performance.now() - started >= this.#ttlMs * 0.9 || lock.expiration <= Date.now()) {',
    replace: 'if (this.#ttlMs < 0) {',
    caughtBy: 'test/lock/claims.test.ts',
  },
  {
    name: 'a lost lock aborts nothing',
    file: 'shared/lock/claims.ts',
    find: 'this.#lost.abort(',
    replace: 'void (',
    caughtBy: 'test/lock/claims.test.ts',
  },
  {
    name: 'nothing is swept that was released and not claimed',
    file: 'services/planner/dispatch/dispatcher.ts',
    find: 'if (released.length === 0) return',
    replace: 'if (released.length >= 0) return',
    caughtBy: 'test/dispatch/dispatcher.test.ts',
  },
  {
    name: 'the look inside the claim is skipped',
    file: 'services/compiler/serve.ts',
    find: 'if (ready) return { compiled: ready, cached: true }',
    replace: 'if (ready && spec.name === "") return { compiled: ready, cached: true }',
    caughtBy: 'test/e2e/compile.test.ts',
  },
]
