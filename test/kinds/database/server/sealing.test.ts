import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDue, isLate, type Moment, type Seal } from '../../../../kinds/database/archive/sealing.ts'

const everyMs = 60_000

/** A server, as far as sealing knows one: a seal is a transaction of its own. */
class Server {
  xid = 1000
  seals = 0

  moment(at: number): Moment {
    return { at, snapshot: `${this.xid}:${this.xid}:` }
  }

  write(): void {
    this.xid += 1
  }

  seal(at: number): Seal {
    this.write()
    this.seals += 1
    return { file: `${this.seals}`, at, snapshot: this.moment(at).snapshot, archivedAt: at, everyMs }
  }
}

/** Some assemblers look at one server for a while, each every five seconds. */
function watched(assemblers: number, forMs: number, options: { own?: boolean; writes?: readonly number[] } = {}) {
  const server = new Server()
  const writes = [...(options.writes ?? [])].sort((a, b) => a - b)
  const shared: { last: Seal | null } = { last: null }
  const memories = Array.from({ length: assemblers }, () => (options.own ? { last: null as Seal | null } : shared))
  for (let at = 0; at < forMs; at += 1000) {
    while (writes[0] !== undefined && writes[0] <= at) {
      writes.shift()
      server.write()
    }
    const memory = memories[(at / 1000) % 5]
    if (memory && isDue(memory.last, server.moment(at), everyMs)) memory.last = server.seal(at)
  }
  return { server, last: shared.last }
}

const day = 24 * 3600_000

describe('an idle database', () => {
  test.each([1, 2, 3])('is sealed once in a day, however many assemblers look at it: %i', (assemblers) => {
    expect(watched(assemblers, day).server.seals).toBe(1)
  })

  test('the control: where each assembler remembers its own seals, two of them seal it for ever', () => {
    expect(watched(1, day, { own: true }).server.seals).toBe(1)
    expect(watched(2, day, { own: true }).server.seals).toBeGreaterThan(2000)
  })

  test('has an archive that is never late, however old', () => {
    const { server, last } = watched(2, day)
    expect(isLate(last!, null, 365 * day)).toBe(false)
    server.write()
    expect(isLate(last!, 365 * day, 365 * day + 1000), 'what was written just now is not late').toBe(false)
    expect(isLate(last!, 365 * day, 366 * day)).toBe(true)
  })
})

describe('a database that is written to', () => {
  test('has every write in a file that was ended within a minute and a round, and no seal without a write', () => {
    const writes = fc.array(fc.integer({ min: 0, max: 600_000 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), writes, (assemblers, times) => {
        const { server, last } = watched(assemblers, 700_000, { writes: times })
        expect(last!.snapshot, 'nothing is left behind').toBe(server.moment(0).snapshot)
        expect(last!.at - Math.max(...times)).toBeLessThanOrEqual(everyMs + 6000)
        expect(server.seals).toBeLessThanOrEqual(1 + times.length)
        expect(server.seals).toBeLessThanOrEqual(2 + 700_000 / everyMs)
      }),
    )
  })

  test('is sealed at once where its clock was set back: no clock makes it wait for longer', () => {
    const last: Seal = { file: '1', at: 5 * day, snapshot: '7:7:', archivedAt: 5 * day, everyMs }
    expect(isDue(last, { at: 4 * day, snapshot: '8:8:' }, everyMs)).toBe(true)
    expect(isDue(last, { at: 4 * day, snapshot: '7:7:' }, everyMs)).toBe(false)
    expect(isDue(last, { at: 5 * day + everyMs - 1, snapshot: '8:8:' }, everyMs)).toBe(false)
  })

  test('is late where what was sealed does not come into the archive', () => {
    const last: Seal = { file: '1', at: 1000, snapshot: '7:7:', archivedAt: null, everyMs }
    expect(isLate(last, null, 1000 + everyMs)).toBe(false)
    expect(isLate(last, null, 1000 + 6 * everyMs)).toBe(true)
  })
})
