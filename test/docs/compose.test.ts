import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { awaitRedis, freePort } from '../../cli/stack/redis.ts'

const root = new URL('../..', import.meta.url).pathname
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true })

test('containers hold the capabilities they need and are not privileged', () => {
  for (const [name, service] of Object.entries<Record<string, unknown>>(compose.services)) {
    expect([name, service.privileged]).toEqual([name, undefined])
    if (name === 'redis') continue
    expect(service.cap_add).toEqual(['SYS_ADMIN', 'NET_ADMIN', 'MKNOD', 'SYS_CHROOT'])
    expect(service.security_opt).toEqual(['seccomp=unconfined', 'apparmor=unconfined'])
  }
})

test('no container answers without a secret, and no secret stands in an argument', () => {
  const { redis, planner } = compose.services
  expect(planner.environment).toMatchObject({
    REDIS_URL: expect.stringContaining('REMODEL_REDIS_PASSWORD:?'),
    REMODEL_TOKEN: expect.stringContaining('REMODEL_TOKEN:?'),
    REMODEL_LISTEN: expect.stringMatching(/^127\.0\.0\.1:/),
  })
  expect(redis.command.slice(3)).toEqual(expect.arrayContaining(['--bind', '127.0.0.1', '--appendfsync', 'always']))
  expect(JSON.stringify(redis.command.slice(3))).not.toMatch(/requirepass|PASSWORD/)
})

test('the Redis of the containers comes up by its own command, with the password and the settings', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'remodel-compose-'))
  const port = String(await freePort())
  const [shell, dash, script, ...args] = (compose.services.redis.command as string[]).map((word) =>
    word.replaceAll('$$', '$'),
  )
  // The container's places, moved to a folder of the test.
  const moved = [
    script!.replaceAll('/tmp/', `${folder}/`).replaceAll('/data', folder),
    ...args.map((arg) => ({ '6390': port, '/data': folder })[arg] ?? arg),
  ]
  const env = { ...process.env, REMODEL_REDIS_PASSWORD: 'of-the-test' }
  const child = execFile(shell!, [dash!, ...moved], { env })
  try {
    await awaitRedis(`redis://:of-the-test@127.0.0.1:${port}`, 10_000)
    const run = promisify(execFile)
    expect((await run('redis-cli', ['-p', port, 'ping'])).stdout).toContain('NOAUTH')
    const [, health = ''] = (compose.services.redis.healthcheck.test as string[]).map((word) =>
      word.replaceAll('$$', '$').replace('6390', port),
    )
    await run('/bin/sh', ['-c', health], { env })
    expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).not.toContain('of-the-test')
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
})
