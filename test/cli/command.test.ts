import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { addVerb, configureVerb, createProgram } from '../../cli/program.ts'
import { allVerbs } from '../../cli/verbs/index.ts'
import { findPlanner } from '../../shared/api/address.ts'
import { loadedFor } from './loaded.ts'
import { BINARY, remodel, temporaryFolder } from './remodel.ts'

const verbs = await allVerbs()

describe('wrong use', () => {
  test('an unknown verb ends with 2 and names the nearest one', async () => {
    const ran = await remodel(['depoly', 'web.yml'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toBe("remodel: unknown command 'depoly' (Did you mean deploy?)\n")
  })

  test('an unknown option ends with 2 and names the nearest one', async () => {
    const ran = await remodel(['deploy', 'web.yml', '--recreat'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('Did you mean --recreate?')
  })

  test('a missing argument ends with 2', async () => {
    const ran = await remodel(['task'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain("missing required argument 'plan'")
  })

  test.each([
    [['deploy', 'a.yml', '-y', '--canaries', '-1'], 'whole number'],
    [['deploy', 'a.yml', '-y', '--max-in-flight', 'many'], '25%'],
    [['deploy', '-', '-y', '--not-before', 'tonight'], 'wanted a time like 22:00'],
    [['exec', 'web', 'web', '--', 'true'], 'GROUP/INDEX'],
    [['tasks', '--planner', 'not an address'], '--planner'],
    [['upload-stemcell', '--light', '--name', 'x'], '--light needs'],
    [['plan', 'a.yml', '--out', 'x', '--floorplan', 'y'], '--out needs a planner'],
  ])('%j ends with 2 and says what is wanted', async (args, words) => {
    const ran = await remodel(args)
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain(words)
  })

  test('with --json an error is one JSON object on stderr', async () => {
    const ran = await remodel(['plan', 'missing.yml', '--json'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(JSON.parse(ran.stderr).error).toMatchObject({ code: 'invalid-input', details: { file: 'missing.yml' } })
  })

  test('there is no stack trace unless it is asked for', async () => {
    const quiet = await remodel(['plan', 'missing.yml'])
    const loud = await remodel(['plan', 'missing.yml'], { env: { REMODEL_DEBUG: '1' } })
    expect(quiet.stderr).not.toMatch(/\n\s+at /)
    expect(loud.stderr).toMatch(/\n\s+at /)
  })

  test('deploy without a terminal and without -y changes nothing and ends with 2', async () => {
    const ran = await remodel(['deploy', '-'], { input: 'name: web\n' })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain('add -y')
  })
})

describe('the planner', () => {
  test('that does not answer is named in one sentence with what to do', async () => {
    const ran = await remodel(['tasks', '--planner', 'http://127.0.0.1:1'])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toBe(
      'remodel: no planner answers at http://127.0.0.1:1: check the address given with --planner\n',
    )
  })

  test('is looked for where the option, the environment and `up` say, in this order', async () => {
    await using home = await temporaryFolder()
    await writeFile(home.in('up.json'), JSON.stringify({ planner: 'http://127.0.0.1:3', redis: 'redis://127.0.0.1:4' }))
    const env = { REMODEL_HOME: home.path }
    const said = async (args: string[], more = {}) =>
      (await remodel(['tasks', ...args], { env: { ...env, ...more } })).stderr
    expect(await said(['--planner', '127.0.0.1:1'], { REMODEL_PLANNER: 'http://127.0.0.1:2' })).toContain(
      'http://127.0.0.1:1:',
    )
    expect(await said([], { REMODEL_PLANNER: 'http://127.0.0.1:2' })).toContain('http://127.0.0.1:2:')
    expect(await said([])).toContain('http://127.0.0.1:3:')
    expect(findPlanner(undefined, '/nonexistent')).toMatchObject({ url: 'http://127.0.0.1:7070', source: 'default' })
  })

  test('of a home that was named and has none is not the one that listens at the usual port', async () => {
    const ran = await remodel(['tasks', '--home', '/nothere'])
    expect(ran).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'remodel: no planner runs in /nothere: start one with `remodel up --home /nothere`, or name another with --planner URL\n',
    })
  })

  test('is not mistaken for another server that answers there', async () => {
    await using server = await serve(200, '{"hello":"world"}')
    const ran = await remodel(['tasks', '--planner', server.url])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain(`what answers at ${server.url} is not a planner of this version`)
  })

  test('is heard out when it refuses: its sentence, its faults with their lines, and exit code 2 for bad input', async () => {
    await using folder = await temporaryFolder()
    await writeFile(folder.in('web.yml'), 'name: web\n')
    const faults = [{ file: 'web.yml', line: 1, path: 'nme', message: 'unknown key "nme"', suggestion: 'name' }]
    const problem = {
      type: 'urn:remodel:invalid-input',
      title: 'invalid input',
      status: 422,
      code: 'invalid-input',
      detail: '1 fault in web.yml; nothing was changed',
      faults,
    }
    await using server = await serve(422, JSON.stringify(problem))
    const ran = await remodel(['plan', 'web.yml', '--planner', server.url], { cwd: folder.path })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toBe(
      'remodel: 1 fault in web.yml; nothing was changed\n  web.yml:1: nme: unknown key "nme" (did you mean name?)\n',
    )
  })

  test('that has lost its Redis is reported with the address of that Redis and without its password', async () => {
    await using home = await temporaryFolder()
    await using server = await serve(503, '')
    await writeFile(
      home.in('up.json'),
      JSON.stringify({ planner: server.url, redis: 'redis://:secret@127.0.0.1:6399' }),
    )
    const ran = await remodel(['locks'], { env: { REMODEL_HOME: home.path } })
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain('127.0.0.1:6399')
    expect(ran.stderr).not.toContain('secret')
  })
})

describe('the command', () => {
  test('works from any directory and through symlinks, relative and absolute', async () => {
    await using folder = await temporaryFolder()
    await mkdir(folder.in('bin'))
    await symlink(BINARY, folder.in('one'))
    await symlink('../one', folder.in('bin', 'two'))
    for (const binary of [folder.in('one'), folder.in('bin', 'two')]) {
      expect(await remodel(['--help'], { binary, cwd: '/' })).toMatchObject({ code: 0, stderr: '' })
    }
  })

  test('shows one to three examples in the help of every verb, each of which it understands', async () => {
    for (const entry of verbs) {
      const { examples } = (await entry.load()).default
      expect(examples.length, entry.name).toBeGreaterThanOrEqual(1)
      expect(examples.length, entry.name).toBeLessThanOrEqual(3)
      for (const [line] of examples) await understands(line)
    }
    const help = await remodel(['deploy', '--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('Examples:\n  remodel deploy web.yml\n')
    expect((await remodel(['help', 'deploy'])).stdout).toBe(help.stdout)
  })

  test('lists every verb in its help', async () => {
    const { stdout } = await remodel(['--help'])
    for (const entry of verbs)
      expect(stdout).toMatch(new RegExp(`^  ${entry.name} +${entry.summary.slice(0, 10)}`, 'm'))
  })

  test('tells its version with and without a planner', async () => {
    const project = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    const ran = await remodel(['--version', '--json', '--planner', 'http://127.0.0.1:1'])
    expect(ran.code).toBe(0)
    expect(JSON.parse(ran.stdout)).toMatchObject({ remodel: project.version, planner: { reachable: false } })
  })

  test.each([
    [['--help'], [], ['commander']],
    [['plan', 'missing.yml'], ['cli/verbs/plan.ts'], ['commander', 'zod']],
  ])('loads for %j no verb but the one that is called, so that it starts fast', async (args, verbs, packages) => {
    expect(await loadedFor(args)).toMatchObject({ verbs, packages })
  })

  test('looks at kinds only where it has no such verb', async () => {
    expect((await loadedFor(['plan', 'missing.yml'])).kinds).toBe(false)
    expect((await loadedFor(['no-such-verb'])).kinds).toBe(true)
  })
})

test.each([[['help', 'deplyo']], [['deplyo', '--help']], [['deplyo']]])(
  '%j is a wrong use, and the nearest verb is named',
  async (args) => {
    const ran = await remodel(args)
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(/deplyo.*deploy/)
  },
)

test('a file that is not there is said before -y is asked for', async () => {
  const ran = await remodel(['deploy', 'nothere.yml'])
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('there is no such file')])
  expect(ran.stderr).not.toContain('add -y')
})

test('help, and help of a verb, succeed', async () => {
  for (const args of [[], ['help'], ['--help'], ['help', 'deploy'], ['deploy', '--help']]) {
    const ran = await remodel(args)
    expect([args, ran.code, ran.stderr]).toEqual([args, 0, ''])
    expect(ran.stdout).toContain('Usage: remodel')
  }
})

/** Parses a command line of the help, of several in one line the first, without running it. */
async function understands(line: string): Promise<void> {
  const [name = '', ...words] = (line.split(/ && | > /)[0] ?? '').match(/'[^']*'|\S+/g) ?? []
  const entry = verbs.find((verb) => verb.name === name)
  if (!entry) throw new Error(`${name} is no verb`)
  const program = createProgram()
  let called = false
  await configureVerb(addVerb(program, entry), entry, async () => {
    called = true
  })
  await program.parseAsync([name, ...words], { from: 'user' })
  expect(called, line).toBe(true)
}

async function serve(status: number, body: string): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((_request, response) =>
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(body),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
