import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BINARY, remodel } from '../../cli/remodel.ts'
import { Scene } from './scene.ts'

let scene: Scene

beforeAll(async () => {
  scene = await Scene.open()
  expect(await scene.deploy()).toMatchObject({ state: 'done' })
}, 240_000)

afterAll(() => scene.close())

const run = (...args: string[]) =>
  remodel([...args, '--planner', scene.client.address.url], { env: { REMODEL_HOME: scene.stack.home } })

/** How often each server has been started since its data is there. */
async function starts(): Promise<number[]> {
  const counted = await Promise.all(
    [...'abc'].map((letter) =>
      scene.shell(letter, 'grep -c "starting PostgreSQL" /var/vcap/store/postgres/postgres.log'),
    ),
  )
  return counted.map(Number)
}

/** A verb that goes on until it is interrupted: what it has said, line by line. */
function follow(...args: string[]) {
  const child = spawn(BINARY, [...args, '--planner', scene.client.address.url], {
    env: { ...process.env, REMODEL_HOME: scene.stack.home },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const leave = () => {
    child.kill('SIGINT')
    return code
  }
  return { lines, leave }
}

const startOf = async (letter: string) =>
  Number(await scene.sql(letter, 'SELECT extract(epoch FROM pg_postmaster_start_time())::float8'))

/** One database; each test goes on where the one before it ended. */
describe('verbs of a database', { timeout: 240_000 }, () => {
  test('a promotion is shown, carried out, and loses nothing; the next deploy leaves it as it is', async () => {
    scene.write()
    const { code, stdout, stderr } = await run('promote', 'shop', 'n1-b', '-y')
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('n1-b takes over from n1-a: no writes on n1 for about 1 s')
    expect(await scene.primaries()).toEqual(['b'])
    await scene.expectWhole()
    expect((await scene.plan({})).remodels).toEqual([])
    expect(await run('promote', 'shop', 'n1-b', '-y')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('n1-b is the primary of n1 already'),
    })
  })

  test('a promotion of a server that does not follow is refused, and nothing is changed', async () => {
    await scene.inflict('cut off', 'c')
    const refused = () => run('promote', 'shop', 'n1-c', '-y')
    await expect
      .poll(async () => (await refused()).stderr, { timeout: 60_000 })
      .toMatch(/follows no server.*, so n1-c cannot take over/)
    expect((await refused()).code).toBe(1)
    expect(await scene.primaries()).toEqual(['b'])
    await scene.heal()
    expect(await scene.deploy()).toMatchObject({ state: 'done' })
  })

  test('a promotion needs a word: without a terminal and -y nothing is planned', async () => {
    expect(await run('promote', 'shop', 'n1-a')).toMatchObject({ code: 2, stderr: expect.stringContaining('-y') })
    expect(await scene.primaries()).toEqual(['b'])
  })

  test('a restart starts each server again, replicas before their primary, under writers', async () => {
    const before = await starts()
    scene.write()
    const { code, stdout, stderr } = await run('restart', 'shop', '-y')
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('n1-b restarts once: no writes on n1 for about 1 s')
    expect(await starts()).toEqual(before.map((count) => count + 1))
    const [a, b, c] = [await startOf('a'), await startOf('b'), await startOf('c')]
    expect(b).toBeGreaterThan(Math.max(a, c))
    await scene.expectWhole()
    expect(await scene.primaries()).toEqual(['b'])
  })

  test('a restart whose worker dies behind the start of a server starts that server once', async () => {
    const before = await starts()
    scene.write()
    await scene.arm('restart-server.restarted=kill')
    const over = new AbortController()
    const replaced = scene.replaceWhenDead(over.signal)
    const { code, stderr } = await run('restart', 'shop', 'n1-a', 'n1-b', '-y')
    over.abort()
    await replaced
    expect(code, stderr).toBe(0)
    expect(scene.hasReached('restart-server.restarted')).toBe(true)
    const [a = 0, b = 0, c = 0] = before
    expect(await starts()).toEqual([a + 1, b + 1, c])
    await scene.expectWhole()
  })

  test('logs are those of a server, of a node or of all, and can be followed', async () => {
    const one = await run('logs', 'shop', 'n1-a', '--lines', '5')
    expect(one.stdout).toMatch(/^==> \/var\/vcap\/store\/postgres\/postgres.log <==\n/)
    const node = JSON.parse((await run('logs', 'shop', 'n1', '--json')).stdout)
    expect(node.map(({ instance }: { instance: string }) => instance)).toEqual(['n1-a', 'n1-b', 'n1-c'])
    expect((await run('logs', 'shop', 'n7')).stderr).toContain('n7')
    const following = follow('logs', 'shop', '--follow')
    await expect.poll(() => following.lines.length, { timeout: 60_000 }).toBeGreaterThan(0)
    for (const word of ['first', 'second']) {
      await scene.sql('b', `DO $$ BEGIN RAISE LOG 'a ${word} word for the log'; END $$`)
      const said = () => following.lines.filter((line) => line.includes(`LOG:  a ${word} word for the log`))
      await expect.poll(said, { timeout: 60_000 }).toHaveLength(1)
    }
    expect(await following.leave()).toBe(0)
  })

  test('what is watched is said as it happens, with the cause and the next command', async () => {
    const watched = follow('watch', 'shop')
    await expect.poll(() => watched.lines, { timeout: 60_000 }).toEqual(['shop: running'])
    await scene.inflict('silent', 'c')
    const told = (what: RegExp) =>
      expect.poll(() => watched.lines.some((line) => what.test(line)), { timeout: 60_000 }).toBe(true)
    await told(/ n1-c {2}failing \(was: replica, running\)/)
    await told(/^ {2}✗ n1-c is failing: its server on host c does not run/)
    await told(/^ {6}next: remodel logs shop n1-c/)
    expect(await scene.deploy()).toMatchObject({ state: 'done' })
    await told(/ n1-c {2}replica, running \(was: /)
    await expect.poll(() => watched.lines.at(-1), { timeout: 60_000 }).toMatch(/running/)
    expect(await watched.leave()).toBe(0)
  })

  test('with a switch-over the primary is started again as a replica', async () => {
    const before = await startOf('b')
    scene.write()
    const { code, stdout, stderr } = await run('restart', 'shop', 'n1', '--switch-over', '-y')
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('n1-a takes over from n1-b')
    expect(await startOf('b')).toBeGreaterThan(before)
    expect(await scene.primaries()).toEqual(['a'])
    await scene.expectWhole()
  })

  test('where the machine of the primary is gone a promotion is a fail-over, and the next deploy makes it anew', async () => {
    scene.write()
    await scene.killMachine('a')
    const promoted = await run('promote', 'shop', 'n1-b', '-y')
    const other = /remodel promote shop (n1-\w)/.exec(promoted.stderr)?.[1]
    // The other replica may have more of the log: then the refusal names it.
    if (other !== undefined) expect((await run('promote', 'shop', other, '-y')).stdout).toContain('takes over')
    else expect(promoted.stdout).toContain('n1-b takes over')
    expect(await scene.primaries()).toHaveLength(1)
    await scene.stopWriting()
    expect(await scene.deploy()).toMatchObject({ state: 'done' })
    await scene.expectWhole()
  })
})
