import { describe, expect, test } from 'vitest'
import { labWith, plansIn, playSession, typed } from './played.ts'

const hello = ['examples/enqueue/hello/manifest.yml', 'examples/enqueue/hello/cloud-config.yml']

describe('the lab, with a deployment', () => {
  test('plays a session: deployed, grown, cut off, moved to another stemcell, repaired, removed', async () => {
    const played = await playSession('examples/lab/deployment.yml')
    const [first, unchanged, grown, rest, moved, repaired, removed] = plansIn(played)
    expect(first).toMatch(/create vm web\/0 +instance is new/)
    expect(unchanged).toBe('No changes. hello stands as written.')
    expect(grown).toContain('create vm web/2')
    expect(grown).not.toContain('web/1')
    expect(rest, 'its machine was made before the plan was cut off').not.toContain('create vm web/2')
    expect(rest).toContain('start instance web/2')
    expect(moved).toContain('stemcell changed local/1 -> local/2')
    expect(repaired).toMatch(/web\/0: stop instance, start instance +processes are failing/)
    expect(removed).toMatch(/^7 changes: 7 to delete/)
    const cutOff = played.find(({ step }) => step.startsWith('carry-out: {'))?.shown
    expect(cutOff).toContain('Carried out 3 of 4 remodels')
    expect(cutOff).toContain('Not carried out: start-instance web/2')
    expect(played.at(-1)!.shown).toContain('- instance/web/2')
  })

  test('carries a plan out once, and the plan that was drawn last', async () => {
    const lab = await labWith(...hello)
    const refused = { code: 'invalid-input', faults: [{ message: 'there is no plan to carry out: plan first' }] }
    await expect(typed(lab, 'carry-out')).rejects.toMatchObject(refused)
    await typed(lab, 'plan')
    expect(await typed(lab, 'carry-out')).toContain('+ instance/web/1')
    await expect(typed(lab, 'carry-out')).rejects.toMatchObject(refused)
    await typed(lab, 'plan')
    expect(await typed(lab, 'carry-out')).toBe('The plan has nothing to carry out.')
  })

  test('a machine that is gone takes its instance with it, until a plan has made another', async () => {
    const lab = await labWith(...hello)
    await typed(lab, 'plan')
    await typed(lab, 'carry-out')
    const machine = /vm\/vm-hello-web-1-\w+/.exec(await typed(lab, 'floorplan'))![0]
    await typed(lab, `find: { ${machine}: { health: missing } }`)
    expect(await typed(lab, 'floorplan')).toMatch(/Seen beside it:\n[\s\S]*instance\/web\/1 +missing/)
    expect(await typed(lab, 'plan')).toContain('create vm web/1')
    await typed(lab, 'carry-out')
    expect(await typed(lab, 'plan')).toBe('No changes. hello stands as written.')
  })

  test.each([
    ['replace: { from: absent, to: x }', 'replace.from', 'manifest.yml does not have this text'],
    ['replace: { from: name, to: x }', 'replace.from', 'manifest.yml has this text 5 times: quote more of it'],
    ['replace: { in: other.yml, from: name, to: x }', 'replace.in', 'there is no document other.yml'],
    ['carry-out: { until: start }', 'carry-out.until', 'the plan has no remodel start'],
    ['find: { instance/web/9: { health: failing } }', 'find.instance/web/9', 'nothing can be found of instance/web/9'],
    ['find: { instance/web/0: { health: fine } }', 'find.instance/web/0.health', 'is none of the allowed values'],
    ['plann', '', 'must be plan or carry-out or floorplan or a map'],
    ['plan: { remov: true }', 'plan.remov', 'unknown key "remov"'],
    ['{ plan: {}, save: x }', 'save', 'a step does one thing: make this a step of its own'],
    ['{}', '', 'there is nothing to do in this step'],
  ])('refuses %s, with the place, and goes on as before', async (line, path, message) => {
    const lab = await labWith(...hello)
    await typed(lab, 'plan')
    await typed(lab, 'carry-out')
    await typed(lab, 'replace: { from: "instances: 2", to: "instances: 3" }')
    const plan = await typed(lab, 'plan')
    await expect(typed(lab, line)).rejects.toMatchObject({
      code: 'invalid-input',
      faults: [{ file: '<stdin>', line: 1, path, message }],
    })
    expect(await typed(lab, 'plan')).toBe(plan)
  })

  test('a document that cannot be read is refused before anything else', async () => {
    await expect(labWith('examples/lab/absent.yml')).rejects.toMatchObject({ code: 'invalid-input' })
  })
})
