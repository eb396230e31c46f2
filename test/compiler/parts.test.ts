import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { CircuitBreaker } from '../../services/compiler/circuit-breaker.ts'
import { idlePolicy } from '../../services/compiler/idle-policy.ts'
import { Output } from '../../services/compiler/output.ts'
import { wishesOf } from '../../services/planner/planning/prewarming.ts'
import type { Remodel } from '../../shared/model/plan.ts'

describe('the output of a packaging script', () => {
  const said = (...chunks: [string, 'stdout' | 'stderr'][]) => {
    const output = new Output()
    for (const [text, from] of chunks) output.add(Buffer.from(text), from)
    return String(output)
  }

  test('is shown in the order it came, lines whole, both streams together', () => {
    expect(said(['a\nb', 'stdout'], ['x\n', 'stderr'], ['c\n', 'stdout'], ['end', 'stderr'])).toBe('a\nx\nbc\nend')
    expect(said()).toBe('')
  })

  test('keeps the first ten and the last forty lines of however many, and says how many are left out', () => {
    const output = new Output()
    for (let n = 0; n < 100_000; n++) output.add(Buffer.from(`line ${n}\n`), n % 2 ? 'stdout' : 'stderr')
    const lines = String(output).split('\n')
    expect(lines).toHaveLength(51)
    expect(lines.slice(0, 11)).toEqual([
      ...Array.from({ length: 10 }, (_, n) => `line ${n}`),
      '[... 99950 lines left out ...]',
    ])
    expect(lines.slice(11)).toEqual(Array.from({ length: 40 }, (_, n) => `line ${99_960 + n}`))
  })

  test('cuts a line that has no end', () => {
    const output = new Output()
    for (let n = 0; n < 1000; n++) output.add(Buffer.alloc(10_000, 'x'), 'stdout')
    expect(String(output).length).toBeLessThan(1100)
  })
})

describe('a place where compile VMs fail', () => {
  test('makes the compiler rest after three faults in a row, longer each time, until a package comes out', () => {
    const rests: number[] = []
    const breaker = new CircuitBreaker(pino({ level: 'silent' }), (ms) => rests.push(ms))
    const fault = () => breaker.recordFailure(new Error('full'))
    for (const turn of [fault, fault, () => breaker.recordSuccess(), fault, fault]) turn()
    expect(rests).toEqual([])
    fault()
    expect(rests).toEqual([2000])
    // An attempt that was begun before the rest says nothing new.
    for (let n = 0; n < 5; n++) fault()
    expect(rests).toEqual([2000])
  })
})

describe('what is kept', () => {
  test('is read from the environment, and what is no number is refused by name', () => {
    expect(idlePolicy({})).toMatchObject({ ms: 60_000, count: 2 })
    expect(idlePolicy({ REMODEL_COMPILE_KEEP_SECONDS: '0', REMODEL_COMPILE_KEEP: '7' })).toMatchObject({
      ms: 0,
      count: 7,
    })
    expect(() => idlePolicy({ REMODEL_COMPILE_KEEP: 'all' })).toThrow('REMODEL_COMPILE_KEEP is "all"')
  })
})

describe('what a plan has made ahead', () => {
  const compile = (name: string, version: string, needs: string[] = []) =>
    ({
      id: name,
      queue: 'compile',
      needs,
      input: { stemcell: { name: 'local', os: 'local', version }, resources: {}, reuse: true, key: name },
    }) as unknown as Remodel

  test('is a VM for each package that waits for no other, no more than the workers', () => {
    const remodels = [compile('a', '1'), compile('b', '1'), compile('c', '2'), compile('d', '2', ['a'])]
    const counts = (limit: number) =>
      wishesOf({ remodels, windows: [{ name: 'compile', limit }] }).map(({ wish, count }) => [
        wish.stemcell.version,
        count,
      ])
    expect(counts(8)).toEqual([
      ['1', 2],
      ['2', 1],
    ])
    expect(counts(2)).toEqual([['1', 2]])
    expect(wishesOf({ remodels: [], windows: [] })).toEqual([])
  })
})
