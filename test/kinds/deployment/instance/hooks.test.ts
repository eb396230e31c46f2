import { expect, test } from 'vitest'
import { runHook } from '../../../../kinds/deployment/instance/scripts.ts'
import type { Connection } from '../../../../shared/provider/connection.ts'
import { machineForEachTest } from '../../../provider/machine.ts'

let machine: Connection
machineForEachTest((on) => {
  machine = on.machine
})

const { signal } = new AbortController()
const script = (job: string, text: string) => machine.write(`/var/vcap/jobs/${job}/bin/pre-start`, text, 0o755)

test('of jobs that have a script each that fails is named, also where it says nothing and ends as if it were not there', async () => {
  await script('quiet', '#!/bin/sh\nexit 127\n')
  await script('loud', '#!/bin/sh\necho no luck\nexit 1\n')
  await script('good', '#!/bin/sh\nexit 0\n')
  await expect(runHook(machine, ['quiet', 'loud', 'good', 'without'], 'pre-start', { signal })).rejects.toMatchObject({
    code: 'job-failed',
    message: '2 of 3 pre-start scripts failed: quiet, loud',
    details: { log: expect.stringContaining('no luck') },
  })
})

test('a job without the script is passed over', async () => {
  await expect(runHook(machine, ['without'], 'pre-start', { signal })).resolves.toBeUndefined()
})
