import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { owner, place } from './place.ts'
import { shell } from './shell.ts'

const mark = `${place.data}/put-back`

/** Whether the data that a node had before a restore is here, because the restore did not end. */
export async function isLaidAside(connection: Connection): Promise<boolean> {
  return (await connection.exec(['/bin/sh', '-c', `[ -d ${place.aside} ] || [ -e ${mark} ]`])).exitCode === 0
}

/**
 * Makes the data that a node had before a restore its data again: the request was withdrawn. False where nothing lies
 * aside. The mark in the data says that it is whole, until the file beside it does.
 */
export async function putBackAside(connection: Connection): Promise<boolean> {
  const there = await shell(
    connection,
    `if [ -d ${place.aside} ]; then touch ${place.aside}/put-back; rm -rf ${place.data}; mv ${place.aside} ${place.data}; fi
     if [ -e ${mark} ]; then chown ${owner} ${place.data}; sync -f ${place.root}; echo back; fi`,
  )
  if (there.trim() !== 'back') return false
  await failpoint('set-up-instance.put-back')
  await connection.write(place.whole, '')
  await shell(connection, `rm -f ${mark} ${place.fences}`)
  return true
}

/** Data that lies aside goes where a restore has put other data in its place; else a person looks at it. */
export async function settleAside(connection: Connection): Promise<void> {
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  await shell(
    connection,
    `if [ -d ${place.aside} ]; then
       case "$(cat ${place.whole})" in restored*) rm -rf ${place.aside} ;; *) mv ${place.aside} ${place.kept}${at} ;; esac; fi
     rm -rf ${place.replayed} ${place.fences} ${mark}`,
  )
}
