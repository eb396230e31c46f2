import { access, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { remodel, temporaryFolder } from './remodel.ts'

describe('a start that fails', { timeout: 90_000 }, () => {
  test.skipIf(process.platform !== 'linux').each([[[]], [['--detach']]])(
    'up %j ends at once where the system lets no folder be made',
    async (more) => {
      const ran = await remodel(['up', ...more, '--home', '/proc/x'])
      expect([ran.code, ran.stdout]).toEqual([2, ''])
      expect(ran.stderr).toBe(
        'remodel: /proc/x cannot be the home: no folder can be made there; name another with --home\n',
      )
    },
  )

  test('a home that is a file, or lies below one, is refused in words and kept', async () => {
    await using folder = await temporaryFolder()
    const file = folder.in('taken')
    await writeFile(file, 'mine')
    for (const home of [file, `${file}/below`]) {
      const ran = await remodel(['up', '--home', home])
      expect(ran.code).toBe(2)
      expect(ran.stderr).toContain(home)
      expect(ran.stderr).toContain('name another with --home')
      expect(ran.stderr).not.toMatch(/E[A-Z]{4,}|mkdir/)
    }
    await access(file)
  })

  test('folders above a home are made', async () => {
    await using folder = await temporaryFolder()
    const env = {
      REMODEL_HOME: folder.in('a', 'b', 'home'),
      REDIS_URL: 'redis://127.0.0.1:1',
      REMODEL_READY_SECONDS: '1',
    }
    expect((await remodel(['up'], { env })).stderr).toContain('no Redis answers')
    await access(folder.in('a', 'b', 'home', 'log'))
  })

  test('a planner that cannot start is reported once, with its own reason and not as a record of a log', async () => {
    await using folder = await temporaryFolder()
    const env = {
      REMODEL_HOME: folder.in('home'),
      REMODEL_BLOBSTORE: 's3://bucket',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...{
        AWS_ACCESS_KEY_ID: '',
        AWS_SECRET_ACCESS_KEY: '',
        AWS_PROFILE: '',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      },
    }
    const ran = await remodel(['up', '--detach', '--port', '0', '--compilers', '0', '--assemblers', '0'], { env })
    expect(ran.code).toBe(1)
    expect(ran.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(
        /^remodel: Remodel did not come up: the planner could not start: no keys for bucket bucket: set AWS_.*planner\.log\)$/,
      ),
    ])
  })

  test.each([[[]], [['--detach']]])('up %j says what it waits for before it gives up', async (more) => {
    await using folder = await temporaryFolder()
    const env = {
      REMODEL_HOME: folder.in('home'),
      REDIS_URL: 'redis://me:secret@127.0.0.1:1',
      REMODEL_READY_SECONDS: '6',
    }
    const ran = await remodel(['up', ...more], { env })
    expect(ran.code).toBe(1)
    const said = ran.stdout + ran.stderr
    expect(said).toMatch(
      /waiting up to 6 s for Redis at redis:\/\/me:\*\*\*@127\.0\.0\.1:1 \(.*\)[\s\S]*no Redis answers at/,
    )
    expect(said).not.toContain('secret')
  })

  test('what the process that stays refuses is the refusal of the one that waits, with its exit code', async () => {
    await using folder = await temporaryFolder()
    const env = { REMODEL_HOME: folder.in('home'), REMODEL_KEEP_PLANS: 'x' }
    const ran = await remodel(['up', '--detach'], { env })
    expect([ran.code, ran.stderr]).toEqual([
      2,
      'remodel: Remodel did not come up: REMODEL_KEEP_PLANS is "x", should be a whole number from 1 to 1,000,000\n',
    ])
  })
})
