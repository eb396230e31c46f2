import { describe, expect, test } from 'vitest'
import { mermaid } from '../../cli/views/mermaid.ts'
import { readPlan } from '../../cli/views/plan.ts'
import { planLines } from '../../cli/views/plan-text.ts'
import { createStyle } from '../../cli/views/style.ts'
import { planViewLines } from '../../cli/views/task.ts'
import { emptyPlan, plan, samplePlan, view } from './sample.ts'

const style = createStyle(false)
const lines = (of: ReturnType<typeof plan>, verbose = false) => planLines(of, { style, verbose, next: [] })

describe('the view of a plan', () => {
  test('says first that there is nothing to do', () => {
    expect(lines(emptyPlan())).toEqual(['No changes. web stands as written.'])
    // Where the verdict found a deviation, no plan changes it either.
    expect(planLines(emptyPlan(), { style, verbose: false, next: [], deviates: true })).toEqual(['No changes.'])
  })

  test('counts materials and not remodels, packages apart', () => {
    expect(lines(samplePlan())[0]).toBe(
      '8 changes: 2 to create, 2 to update, 1 to replace, 1 to delete, 2 packages to compile; waits for 1 approval.',
    )
    const one = plan([{ id: 'c', action: 'compile', material: 'package/a/1', title: 'compile a', stage: 's' }])
    expect(lines(one)[0]).toBe('1 change: 1 package to compile.')
  })

  test('takes deleting and creating one material in one plan for a replacement', () => {
    const both = plan([
      { id: 'd', action: 'delete', material: 'vm/1', title: 'delete', stage: 's' },
      { id: 'c', action: 'create', material: 'vm/1', title: 'create', stage: 's' },
    ])
    expect(readPlan(both, { barriers: false }).counts).toMatchObject({ replace: 1, create: 0, delete: 0 })
  })

  test('shows stages in plan order, one entry a material, with reasons and both sides of each field', () => {
    const text = lines(samplePlan()).join('\n')
    expect(text).toContain(
      [
        '  Updating instance db',
        '    ± recreate db/0  stemcell changed 11 -> 12',
        '        stemcell: host/11 -> host/12',
      ].join('\n'),
    )
    expect(text).toMatch(/~ web\/0: prepare, stop, start {2}configuration of job nginx changed; package zlib changed/)
    expect(text).toContain('networks: [{name: default, address: 127.7.0.12}]')
    expect(text).toContain('! db/1 does not answer since 09:58:12')
  })

  test('says the title of each remodel of a material where they have no verb: in a plan of an earlier version', () => {
    const titled = ['prepare web/0', 'stop web/0'].map((title) => ({ id: title, title, stage: 's' }))
    const text = lines(plan(titled.map((one) => ({ ...one, action: 'run', material: 'instance/web/0' })))).join('\n')
    expect(text).toContain('> web/0: prepare web/0, stop web/0')
  })

  test('marks what loses data, and says so once more at the end', () => {
    const all = lines(samplePlan())
    expect(all.filter((line) => line.includes('(data is lost)'))).toHaveLength(1)
    expect(all.at(-1)).toContain('no deploy brings it back')
  })

  test('hides barriers unless everything is asked for', () => {
    expect(lines(samplePlan()).join('\n')).not.toContain('all packages are compiled')
    expect(lines(samplePlan(), true).join('\n')).toContain('| all packages are compiled')
  })

  test('folds a fleet of alike entries into two and a count, and shows each one when everything is asked for', () => {
    const fleet = plan(
      Array.from({ length: 100 }, (_, index) => ({
        id: `start-instance web/${index}`,
        action: 'update' as const,
        material: `instance/web/${index}`,
        title: `start web/${index}`,
        stage: 'Updating instance web',
        reasons: ['stemcell changed 11 -> 12'],
      })),
    )
    const short = lines(fleet)
    expect(short).toContain('    ~ 98 more alike: start web/2 to start web/99')
    expect(short.length).toBeLessThan(10)
    expect(lines(fleet, true).filter((line) => line.startsWith('    ~'))).toHaveLength(100)
  })

  test('cannot be made to write control characters to the terminal', () => {
    const evil = plan([
      {
        id: 'x',
        action: 'update',
        material: 'instance/a/0',
        title: 'start \u001b[2Ja/0',
        stage: '\u001b]0;evil\u0007stage',
        reasons: ['\u009b31mred'],
        changes: [{ path: 'a', before: '\u001b[2J', after: 1 }],
      },
    ])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(lines(evil, true).join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  test('is coloured only where colour is wanted', () => {
    const colored = planLines(samplePlan(), { style: createStyle(true), verbose: false, next: [] }).join('\n')
    expect(colored).toContain('\u001b[')
    expect(lines(samplePlan()).join('\n')).not.toContain('\u001b')
  })
})

describe('the graph of a plan', () => {
  test('has every remodel in the subgraph of its stage and an arrow for every need', () => {
    const of = samplePlan()
    const text = mermaid(of)
    const needs = of.remodels.reduce((sum, remodel) => sum + remodel.needs.length, 0)
    expect(text.match(/ --> /g)).toHaveLength(needs)
    expect(text.match(/:::/g)).toHaveLength(of.remodels.length)
    expect(text.match(/subgraph/g)).toHaveLength(new Set(of.remodels.map((remodel) => remodel.stage)).size)
  })

  test('keeps titles with quotes and brackets from breaking out of their label', () => {
    const text = mermaid(plan([{ id: 'a', action: 'run', material: 'x/y', title: 'say "hi" <b>; #1', stage: 's' }]))
    expect(text).toContain('["say #34;hi#34; #60;b#62;#59; #35;1"]')
  })
})

describe('the view of a task', () => {
  test('shows each remodel with its state and how long it took, and the cause with the end of its log', () => {
    const failed = view(
      samplePlan(),
      {
        state: 'failed',
        errors: [
          {
            remodel: 'start-instance web/1',
            code: 'job-failed',
            message: 'pre-start ended with 1',
            log: 'first\nlast\n',
          },
        ],
      },
      (remodel) => (remodel.id === 'start-instance web/1' ? 'failed' : 'done'),
    )
    const text = planViewLines(failed, style, false, 0).join('\n')
    expect(text).toMatch(/✓ compile zlib {3}450 ms/)
    expect(text).toMatch(/✗ start web\/1 .*failed/)
    expect(text).toContain('✗ start web/1: pre-start ended with 1\n      │ first\n      │ last')
  })

  test('says how to carry out a plan that waits', () => {
    const stored = view(samplePlan(), { state: 'stored', startedAt: null, finishedAt: null }, () => 'blocked')
    expect(planViewLines(stored, style, false, 0).at(-1)).toBe('To carry it out: remodel apply p3f2a91c04d7e')
  })
})
