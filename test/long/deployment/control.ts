import { rm } from 'node:fs/promises'
import { execa } from 'execa'
import { copySources, workIn } from '../../sabotage/copy.ts'
import { sabotages } from '../../sabotage/sabotages.ts'

/**
 * `npm run test:deployment-histories-control [-- --runs N --seed S]`: the same histories on a copy of the sources without the checks, where
 * disks must be lost and processes be missed. Ends with 1 where nothing is.
 */
const off = [
  'an instance with a disk goes where its AZ does',
  'a group that is renamed begins with empty disks',
  'a process runs as root, whatever its monit file says',
]

const copy = await copySources()
try {
  for (const name of off) {
    const sabotage = sabotages.find((one) => one.name === name)
    if (!sabotage || !(await workIn(sabotage, copy))) throw new Error(`there is no sabotage: ${name}`)
  }
  const argv = ['test/long/deployment/main.ts', ...process.argv.slice(2)]
  const { stdout } = await execa(process.execPath, argv, { cwd: copy, reject: false })
  console.log(stdout)
  const wrong = Number(/"wrong":(\d+)\}$/.exec(stdout)?.[1] ?? 0)
  console.log(wrong > 0 ? `without the checks ${wrong} things are wrong` : 'nothing is wrong without the checks')
  process.exitCode = wrong > 0 ? 0 : 1
} finally {
  await rm(copy, { recursive: true, force: true })
}
