import type { X509Certificate } from 'node:crypto'
import { certificateIn } from '../../../shared/certificates/renewal.ts'
import { layout } from '../../../shared/provider/layout.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { type DiskSpace, isFullDisk, spaceIn, spaceQuestion } from '../postgres/full-disk.ts'
import { certificateFile } from '../postgres/tls.ts'
import { changedIn, findChanged } from '../postgres/written-files.ts'

/** What a machine says of the server on it, whether that runs or not. */
export interface Machine {
  /** It does not answer. */
  silent: boolean
  /** Its server can only start as a replica. */
  demoted: boolean
  /** Data of a server lies there, whole or not. */
  data: boolean
  /** What a node had before a restore that did not end lies there. */
  aside: boolean
  /** Its server cannot write any more of its log: there is no room for another file of it. */
  full: boolean
  disk: DiskSpace | null
  /** Why its server lets no client in (`kinds/database/server/admission.ts`); empty where it does. */
  closed: string
  /** Directories with data that was put aside, as it has more than its primary. */
  kept: string[]
  /** Files of settings that another hand has changed. */
  changed: string[]
  /** Of its server; null where it has none. */
  certificate: X509Certificate | null
}

const root = `${layout.store}/postgres`
const question = `[ -e ${root}/data/standby.signal ] && echo demoted; [ -d ${root}/aside ] && echo aside; [ -e ${root}/data ] && echo data; [ -e ${root}/closed ] && echo "closed $(cat ${root}/closed)"; ls -d ${root}/kept-* 2>/dev/null; ${findChanged}; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' ${certificateFile} 2>/dev/null; ${spaceQuestion(root)}; true`
const usualMs = 4000

/** Reads only. */
export async function askMachine(provider: Provider, vm: string, timeoutMs = usualMs): Promise<Machine> {
  try {
    const connection = await provider.connect(vm, null)
    try {
      const { stdout } = await connection.exec(['/bin/sh', '-c', question], { timeoutMs })
      const lines = stdout.split('\n').filter(Boolean)
      const disk = spaceIn(lines)
      return {
        silent: false,
        demoted: lines.includes('demoted'),
        data: lines.includes('data'),
        aside: lines.includes('aside'),
        full: isFullDisk(disk),
        disk,
        closed: lines.find((line) => line.startsWith('closed '))?.slice('closed '.length) ?? '',
        kept: lines.filter((line) => line.startsWith(`${root}/kept-`)),
        changed: changedIn(stdout),
        certificate: certificateIn(stdout),
      }
    } finally {
      connection.close()
    }
  } catch {
    return {
      silent: true,
      demoted: false,
      data: false,
      aside: false,
      full: false,
      disk: null,
      closed: '',
      kept: [],
      changed: [],
      certificate: null,
    }
  }
}

/** Whether a machine keeps its server running; null where it does not say. */
export async function runsServer(provider: Provider, vm: string): Promise<boolean | null> {
  try {
    const connection = await provider.connect(vm, null)
    try {
      return (await connection.status()).every(({ state }) => state === 'running')
    } finally {
      connection.close()
    }
  } catch {
    return null
  }
}
