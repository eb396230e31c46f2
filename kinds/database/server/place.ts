import { layout } from '../../../shared/provider/layout.ts'
import { serverLog } from '../inputs.ts'
import { mountedPostgres } from '../postgres/binaries.ts'
import { certificateFile } from '../postgres/tls.ts'
import { socketDirectory } from '../postgres/way-in.ts'

/** Where a server lives on its machine: all of it on the persistent disk, but for the socket. */
export const place = {
  binaries: `${mountedPostgres}/bin`,
  root: `${layout.store}/postgres`,
  data: `${layout.store}/postgres/data`,
  log: serverLog,
  /** Written when the data is whole, removed before it is touched: without it whatever lies there is half made. */
  whole: `${layout.store}/postgres/whole`,
  /** Digest of what was set up last. */
  applied: `${layout.store}/postgres/applied`,
  /** What an attempt has begun here and waits for: a server replays its log up to a target. */
  begun: `${layout.store}/postgres/begun`,
  /** How far a node that is being filled is to follow its source. */
  target: `${layout.store}/postgres/target`,
  /** Of the line that its data forks into when it takes over without all of its node's log (`fork.ts`). */
  forking: `${layout.store}/postgres/forking`,
  /** What a node had before it is restored, until it is. */
  aside: `${layout.store}/postgres/aside`,
  /** Before a time: data that has more than the primary of its node, put aside for a person to look at. */
  kept: `${layout.store}/postgres/kept-`,
  /** Files of the log that a restore replays. */
  replayed: `${layout.store}/postgres/replayed`,
  /** The fences that the databases had seen before the restore. */
  fences: `${layout.store}/postgres/fences.json`,
  /** Why it lets no client in (`admission.ts`); not there where it does. */
  closed: `${layout.store}/postgres/closed`,
  /** Password of the replication role, for libpq. */
  passwords: `${layout.store}/postgres/passwords`,
  /**
   * A server's key and certificate in one file, so both change at once. Beside the data: a copy of
   * that takes no key along.
   */
  certificate: certificateFile,
  /** The CA's certificate, for libpq. */
  authority: `${layout.store}/postgres/ca.pem`,
  /** Where it is asked whether a server could start. */
  rehearsal: `${layout.store}/postgres/rehearsal`,
  /** Files of settings that a server ran with, until it runs with others. */
  earlier: `${layout.store}/postgres/earlier`,
  run: socketDirectory,
} as const

/** `nobody` on every Linux: PostgreSQL refuses to run as root, and needs no name in /etc/passwd of its own. */
const user = 65534

/** A command line run as the user of the server. */
export const asServer = (line: string) => `setpriv --reuid=${user} --regid=${user} --clear-groups ${line}`
export const owner = `${user}:${user}`
