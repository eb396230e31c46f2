import { expect, test } from 'vitest'
import { changedBelow, findChangedFiles, noteFiles } from '../../../../kinds/deployment/deployed-files.ts'
import type { Connection } from '../../../../shared/provider/connection.ts'
import { machineForEachTest } from '../../../provider/machine.ts'

let machine: Connection
machineForEachTest((on) => {
  machine = on.machine
})

const shell = async (script: string) => {
  const { exitCode, stdout, stderr } = await machine.exec(['/bin/sh', '-euc', script])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return stdout
}
/** As links point to them; what is deployed is older than what scripts write. */
const deployed = `
cd /var/vcap; mkdir -p data/jobs/app/1/bin data/packages/app/1/bin jobs packages instance
ln -s /var/vcap/data/jobs/app/1 jobs/app; ln -s /var/vcap/data/packages/app/1 packages/app
for file in jobs/app/config jobs/app/bin/ctl jobs/app/own packages/app/bin/run packages/app/lib packages/app/log; do
  echo "$file" > "$file"; touch -d 2001-01-01 "$file"; done
echo app > instance/id
echo "of a script" > jobs/app/own; touch -d 2100-01-01 jobs/app/own
echo "of a script" > packages/app/log; touch -d 2100-01-01 packages/app/log`

const changed = async () => {
  const lines = (await shell(`${findChangedFiles}\ntrue`)).split('\n')
  return ['/var/vcap/jobs', '/var/vcap/packages'].map((folder) => Object.fromEntries(changedBelow(lines, folder)))
}

test('files of jobs and packages that are gone or changed are named, and what scripts wrote is not', async () => {
  await shell(deployed)
  await shell(noteFiles)
  expect(await changed()).toEqual([{}, {}])
  await shell(`cd /var/vcap; echo more > jobs/app/new; echo again >> jobs/app/own; echo again >> packages/app/log`)
  // The same text, written again.
  await shell('echo jobs/app/config > /var/vcap/jobs/app/config')
  expect(await changed()).toEqual([{}, {}])
  await shell(
    `cd /var/vcap; echo other > jobs/app/config; rm jobs/app/bin/ctl; echo x > packages/app/bin/run; rm packages/app/lib`,
  )
  expect(await changed()).toEqual([{ app: 'bin/ctl, config' }, { app: 'bin/run, lib' }])
})

test('a machine on which nothing was noted, or without jobs, has none', async () => {
  expect(await changed()).toEqual([{}, {}])
  await shell('mkdir -p /var/vcap/instance; touch /var/vcap/instance/id')
  await shell(noteFiles)
  expect(await changed()).toEqual([{}, {}])
})

test('of many the first few are named', () => {
  const lines = ['e', 'd', 'c', 'b', 'a'].map((name) => `changed /var/vcap/jobs/app/${name}`)
  expect(changedBelow(lines, '/var/vcap/jobs').get('app')).toBe('a, b, c and 2 more')
})
