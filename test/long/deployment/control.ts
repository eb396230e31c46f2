import { execa } from 'execa'
import { withoutChecks } from '../../sabotage/without.ts'

/**
 * `npm run test:deployment-histories-control [-- --runs N --seed S]`: the same histories on a copy of the sources
 * without the checks, where disks must be lost and processes run as another user. Ends with 1 where either does not
 * happen. One history in several loses a disk, and seeds differ much: run at least 40.
 */
const off = [
  'an instance with a disk goes where its AZ does',
  'a group that is renamed begins with empty disks',
  'a process runs as root, whatever its monit file says',
]

const argv = ['test/long/deployment/main.ts', ...process.argv.slice(2)]
const { stdout } = await withoutChecks(off, (copy) => execa(process.execPath, argv, { cwd: copy, reject: false }))
console.log(stdout)
const disks = stdout.split('\n').filter((line) => / disks, \d+ at least are wanted$/.test(line)).length
const users = stdout.split('\n').filter((line) => line.includes(' is "root')).length
console.log(`without the checks disks are lost ${disks} times, and ${users} processes run as root`)
process.exitCode = disks > 0 && users > 0 ? 0 : 1
