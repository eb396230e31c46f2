import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { postgresBinaries } from '../postgres/binaries.ts'
import { type Complaint, complaintsIn, settingLines } from '../postgres/settings.ts'

const timeoutMs = 20_000

/**
 * What PostgreSQL has against these settings, by its own parser: `postgres -C` reads a file of settings and
 * starts nothing. It says all that is wrong with values only where it knows every name, so what it refuses is
 * left out and it is asked again.
 */
export async function judge(settings: Readonly<Record<string, string>>): Promise<Complaint[]> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-settings-'))
  try {
    const complaints: Complaint[] = []
    const left = new Map(Object.entries(settings))
    while (left.size > 0) {
      const found = await complaintsOf(folder, Object.fromEntries(left))
      complaints.push(...found)
      const named = found.filter(({ setting }) => setting !== undefined && left.delete(setting))
      if (named.length === 0) break
    }
    return complaints
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function complaintsOf(folder: string, settings: Record<string, string>): Promise<Complaint[]> {
  await writeFile(join(folder, 'postgresql.conf'), settingLines(settings))
  const { exitCode, stderr } = await execa(join(postgresBinaries(), 'postgres'), ['-C', 'port', '-D', folder], {
    reject: false,
    timeout: timeoutMs,
    extendEnv: false,
    env: { LC_ALL: 'C' },
  })
  if (exitCode === 0) return []
  const complaints = complaintsIn(stderr)
  return complaints.length > 0 ? complaints : [{ message: stderr.trim().split('\n').at(-1) ?? 'it is refused' }]
}

/** Every setting that this PostgreSQL knows. */
export async function knownSettings(): Promise<string[]> {
  const { stdout } = await execa(join(postgresBinaries(), 'postgres'), ['--describe-config'], { timeout: timeoutMs })
  return stdout.split('\n').flatMap((line) => line.split('\t')[0] || [])
}
