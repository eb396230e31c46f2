import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { logLines, plainLines } from '../../cli/views/happening.ts'
import { Progress } from '../../cli/views/progress.ts'
import { resultLines } from '../../cli/views/result.ts'
import { createStyle, cut, width } from '../../cli/views/style.ts'
import { planViewLines } from '../../cli/views/task.ts'
import { duration, elapsed } from '../../cli/views/time.ts'
import { readServerSentEvents } from '../../shared/api/stream.ts'
import { events, samplePlan, view } from './sample.ts'

const of = samplePlan()
const take = (progress: Progress, list: ReturnType<typeof events>) =>
  list.flatMap((event) => progress.take(event) ?? [])

describe('progress', () => {
  test('is a line for each phrase and each end, with durations, and nothing for barriers', () => {
    const progress = new Progress(of)
    const happenings = take(
      progress,
      events(of, [
        { type: 'plan.started', after: 0 },
        { type: 'remodel.started', after: 0, remodel: 'start-instance web/0' },
        { type: 'remodel.done', after: 10, remodel: 'barrier packages' },
        { type: 'remodel.progress', after: 100, remodel: 'start-instance web/0', message: 'executing pre-start' },
        { type: 'remodel.done', after: 3200, remodel: 'start-instance web/0' },
      ]),
    )
    expect(happenings.flatMap(plainLines).map((line) => line.slice(10))).toEqual([
      'start web/0: executing pre-start',
      'start web/0: done (3.2 s)',
    ])
    expect(progress).toMatchObject({ done: 1, failed: 0, total: of.remodels.length - 1 })
    expect(progress.running.size).toBe(0)
  })

  test('tells a failure with the end of its log right there, free of control characters', () => {
    const log = `${Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n')}\n\u001b[31mfatal\u001b[0m\u0007\n`
    const happenings = take(
      new Progress(of),
      events(of, [
        { type: 'remodel.started', after: 0, remodel: 'start-instance web/1' },
        {
          type: 'remodel.failed',
          after: 1000,
          remodel: 'start-instance web/1',
          message: 'pre-start ended with 1',
          code: 'job-failed',
          log,
        },
      ]),
    )
    const lines = happenings.flatMap(plainLines)
    expect(lines[0]?.slice(10)).toBe('start web/1: failed: pre-start ended with 1 (after 1.0 s)')
    expect(lines[1]).toBe('          | (11 lines before this)')
    expect(lines.at(-1)).toBe('          | fatal')
    expect(lines).toHaveLength(22)
  })

  test('knows a retried remodel by its new attempt', () => {
    const progress = new Progress(of)
    take(
      progress,
      events(of, [
        { type: 'remodel.started', after: 0, remodel: 'compile-package zlib', attempt: 1 },
        { type: 'remodel.retried', after: 10, remodel: 'compile-package zlib', attempt: 2, message: 'worker lost' },
        { type: 'remodel.started', after: 20, remodel: 'compile-package zlib', attempt: 2 },
      ]),
    )
    expect([...progress.running.values()]).toMatchObject([{ title: 'compile zlib', attempt: 2 }])
  })

  test('adds up to stages with their durations and a result that says what to do', () => {
    const progress = new Progress(of)
    take(
      progress,
      events(of, [
        { type: 'remodel.started', after: 0, remodel: 'compile-package zlib' },
        { type: 'remodel.done', after: 2000, remodel: 'compile-package zlib' },
        { type: 'remodel.started', after: 2000, remodel: 'create-vm web/2' },
        { type: 'remodel.failed', after: 2500, remodel: 'create-vm web/2', message: 'no room' },
      ]),
    )
    const failed = view(of, {
      state: 'failed',
      counts: { total: 14, done: 1, failed: 1, skipped: 12, running: 0 },
      errors: [{ remodel: 'create-vm web/2', code: 'infrastructure', message: 'no room' }],
    })
    const text = resultLines(failed, progress.stages, createStyle(false), { verdict: null }).join('\n')
    expect(text).toMatch(/Compiling packages +2\.0 s {2}1 remodel of 2/)
    expect(text).toContain(
      'Failed in 14.2 s.\n  ✗ create a VM for web/2: no room\n  1 of 14 done, 1 failed, 12 skipped.',
    )
    expect(text).toContain('remodel task p3f2a91c04d7e')
    const well = { verdict: { at: 0, deviations: [] } }
    expect(resultLines(view(of), [], createStyle(false), well).at(-1)).toBe('Done in 14.2 s. web stands as written.')
  })

  test('of a plan that was cancelled tells what was stopped from what never began', () => {
    const counts = { total: 4, done: 1, failed: 0, skipped: 3, running: 0 }
    const [stopped] = of.remodels
    const cancelled = view(of, { state: 'cancelled', counts }, () => 'skipped')
    const remodels = cancelled.remodels.map((one) =>
      one.id === stopped!.id ? { ...one, attempt: 1 } : { ...one, attempt: 0 },
    )
    const text = (shown: typeof cancelled) =>
      [
        ...resultLines(shown, [], createStyle(false), { verdict: null }),
        ...planViewLines(shown, createStyle(false), true, 0),
      ].join('\n')
    expect(text({ ...cancelled, remodels })).toMatch(
      /1 of 4 done, 1 cancelled, 2 skipped\.[\s\S]* cancelled\n[\s\S]* skipped/,
    )
    expect(text({ ...cancelled, remodels, status: { ...cancelled.status, state: 'failed' } })).toContain(
      '1 of 4 done, 3 skipped.',
    )
  })

  test('of a plan that was carried out says warnings that the plan did not say', () => {
    const verdict = { at: 0, deviations: [], warnings: ['table public.note has no key on n1'] }
    const text = resultLines(view(of), [], createStyle(false), { verdict }).join('\n')
    expect(text).toMatch(/web stands as written\.\n {2}Warning: table public\.note has no key on n1$/)
  })

  test('of a plan that was carried out says what is not as it was recorded', () => {
    const verdict = { at: 0, deviations: [{ material: 'instance/web/0', what: 'does not answer' }] }
    const text = resultLines(view(of), [], createStyle(false), { verdict }).join('\n')
    expect(text).toContain(
      'Carried out in 14.2 s.\n  But this is not as it should be:\n  ✗ instance/web/0 does not answer',
    )
    expect(text).not.toContain('stands as written')
  })
})

describe('text', () => {
  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [3210, '3.2 s'],
    [59_949, '59.9 s'],
    [59_960, '1 m 00 s'],
    [125_000, '2 m 05 s'],
    [3_780_000, '1 h 03 m'],
  ])('%i milliseconds are %s', (ms, text) => expect(duration(ms)).toBe(text))

  test.each([
    [0, '0 s'],
    [1999, '1 s'],
    [59_999, '59 s'],
    [60_000, '1 m 00 s'],
  ])('%i milliseconds so far are %s', (ms, text) => expect(elapsed(ms)).toBe(text))

  test('a line cut to the terminal keeps its colours and is never wider', () => {
    const line = createStyle(true).red('a'.repeat(20)) + createStyle(true).green('b'.repeat(20))
    expect(width(cut(line, 10))).toBe(10)
    expect(width(cut(line, 30))).toBe(30)
    expect(cut(line, 40)).toBe(line)
  })

  test('a short log is shown whole', () => expect(logLines('one\ntwo\n\n')).toEqual(['one', 'two']))
})

describe('server-sent events', () => {
  test('are read whole however the bytes are split, comments left out', async () => {
    const text = ': hello\r\n\r\nid: 1\ndata: {"a":"é"}\n\ndata:one\ndata: two\n\nid: 3\n\ndata: cut off'
    const bytes = Buffer.from(text)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      )
      const read: string[] = []
      for await (const data of readServerSentEvents(Readable.from(chunks, { objectMode: false }))) read.push(data)
      expect(read).toEqual(['{"a":"é"}', 'one\ntwo'])
    }
  })
})
