import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'

test.each(['planner', 'compiler', 'assembler'])(
  'a %s that is started without Redis says where it looks for it, and leaves when told to',
  { timeout: 120_000 },
  async (name) => {
    const home = await mkdtemp(join(tmpdir(), 'remodel-waits-'))
    const main = new URL(`../../services/${name}/main.ts`, import.meta.url).pathname
    // Nothing listens at port 1.
    const env = {
      ...process.env,
      REDIS_URL: 'redis://:secret@127.0.0.1:1',
      REMODEL_HOME: home,
      REMODEL_LISTEN: '127.0.0.1:0',
    }
    const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const gone = once(child, 'exit')
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (!line.includes('127.0.0.1:1')) continue
      child.kill('SIGTERM')
      break
    }
    expect(lines.join('\n')).toContain('not ready yet: is Redis at')
    expect(lines.join('\n')).not.toContain('secret')
    child.stdout.resume()
    await gone
    await rm(home, { recursive: true, force: true })
  },
)
