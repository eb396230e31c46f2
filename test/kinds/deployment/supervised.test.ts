import { expect, test } from 'vitest'
import { renderedBy } from '../../../kinds/deployment/kind.ts'
import type { Supervision } from '../../../kinds/deployment/rendering.ts'
import { emptyFloorplan } from '../../../shared/model/material.ts'
import { document, options, render } from './planning.ts'
import { given, manifestText } from './shop.ts'

/** The draft of the shop, whose jobs have these supervised. */
async function drafted(supervised: (job: string) => Supervision) {
  const kind = renderedBy(async (requests) => {
    const results = await render(requests)
    return results.map((result, at) => ({ ...result, supervision: supervised(requests[at]!.job.name) }))
  })
  return kind.foreman(kind.architect(document('shop.yml', manifestText), given()), emptyFloorplan('shop'), options)
}

const process = (name: string, pidfile: string) => ({ name, pidfile })

test('two processes with one pidfile are refused with both: the second would be taken for running as soon as the first is', async () => {
  const faults = drafted(() => ({
    processes: [process('a', '/var/vcap/sys/run/app/app.pid'), process('b', '/var/vcap/sys/run/app/app.pid')],
    idle: [],
  })).then(
    () => [],
    (error) => error.faults.map(({ message }: { message: string }) => message),
  )
  expect((await faults)[0]).toMatch(
    /^process "b" of job .* has the pidfile of "a", in the same job: \/var\/vcap\/sys\/run\/app\/app\.pid$/,
  )
})

test('what monit files say without effect stands in the notes, once for each job', async () => {
  const { notes } = await drafted((job) => ({
    processes: [process(job, `/${job}`)],
    idle: ['"if x then y" (monit:3)'],
  }))
  const said = notes.filter((note) => note.includes('no effect'))
  expect(said.length).toBeGreaterThan(0)
  expect(new Set(said).size).toBe(said.length)
  expect(said[0]).toMatch(/^monit of \w+ says what has no effect here: "if x then y" \(monit:3\)$/)
})
