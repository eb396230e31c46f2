import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TemplateRenderer } from '../../../../kinds/deployment/render/renderer.ts'
import type { RenderRequest } from '../../../../kinds/deployment/rendering.ts'
import type { DiskBlobstore } from '../../../../shared/blobstore/disk.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { temporaryBlobs } from './blobs.ts'
import { contextOf, type JobText, putJob } from './job.ts'

const place = { file: 'web.yml', line: 12, path: 'instance_groups[0].jobs[0]' }
let blobs: DiskBlobstore
let remove: () => Promise<void>
let directory: string
let renderer: TemplateRenderer

beforeAll(async () => {
  const temporary = await temporaryBlobs()
  blobs = temporary.blobs
  remove = temporary.remove
  directory = await mkdtemp(join(tmpdir(), 'render-cache-'))
  renderer = new TemplateRenderer({ blobs, threads: 2, limit: 1500 })
})

afterAll(async () => {
  await renderer.close()
  await remove()
  await rm(directory, { recursive: true, force: true })
})

async function request(text: JobText, context = contextOf({ port: 8080 })): Promise<RenderRequest> {
  return { job: await putJob(blobs, text), context, place }
}

async function faultOf(text: JobText, context = contextOf({ port: 8080 })) {
  const [result] = await renderer.render([await request(text, context)])
  if (!result || !('fault' in result)) throw new Error('no fault')
  return result.fault
}

describe('a greedy template', () => {
  it('that takes ever more memory is a fault at its job, and the next one is rendered', async () => {
    // No limit of time: what ends it is the limit of memory.
    const patient = new TemplateRenderer({ blobs, threads: 1, limit: 60_000 })
    const greedy = ['<% all = []; loop { all << "x" * 1_000_000 } %>', '<%= "x" * 500_000_000 %>']
    const answers = await patient.render([
      await request({ templates: { 'greedy.erb': greedy[0]! } }),
      await request({ templates: { 'greedy.erb': greedy[1]! } }),
      await request({ templates: { 'modest.erb': 'port <%= p("port") %>' } }),
    ])
    await patient.close()
    const fault = { message: 'template web/greedy.erb: it needs more than 384 MiB of memory' }
    expect(answers).toMatchObject([
      { fault },
      { fault },
      { digest: expect.any(String), supervision: { processes: [], idle: [] } },
    ])
  })

  it('that renders more than a file may have is a fault', async () => {
    const fault = await faultOf({ templates: { 'long.erb': '<%= "x" * 20_000_000 %>' } })
    expect(fault.message).toBe('template web/long.erb: it renders 20000000 bytes, 16777216 are allowed')
  })
})

describe('a rendered job', () => {
  it('holds every template at its destination and monit, executable below bin only', async () => {
    const { files } = await renderer.renderFiles(
      await request({
        templates: { 'ctl.erb': '#!/bin/sh\necho <%= p("port") %>\n', 'a/b.yml.erb': 'id: <%= spec.id %>\n' },
        to: { 'ctl.erb': 'bin/ctl', 'a/b.yml.erb': 'config/b.yml' },
        monit: 'check process <%= name %> pidfile /p start program /s\n',
      }),
    )
    expect(files.map(({ path, mode, content }) => [path, mode.toString(8), content.toString()])).toEqual([
      ['bin/ctl', '755', '#!/bin/sh\necho 8080\n'],
      ['config/b.yml', '640', 'id: 3f2b6c1e-aa10-4b5e-9f0c-7a1d2e3f4a5b\n'],
      ['monit', '640', 'check process web pidfile /p start program /s\n'],
    ])
  })

  it.for<[monit: string, message: string]>([
    ['this is not monit at all {{{\n', 'line 1: "this is" is no statement of monit'],
    ['# the server\ncheck proces <%= name %> pidfile /p\n', 'line 2: "check proces" is no statement of monit'],
    [
      'check process x with pidfile',
      'line 1: process x would not be supervised: it has no pidfile, and no path of a file',
    ],
    [
      '\ncheck process x pidfile /p\n  stop program "/s"\n',
      'line 2: process x would not be supervised: it has no start program',
    ],
    [
      'check process x pidfile /p\n  start program "/bin/x"\n  stop program "/var/vcap/jobs/<%= name %>/bin/../bin/ctl stop"\n',
      'line 3: the stop program /var/vcap/jobs/web/bin/../bin/ctl is no file of the job',
    ],
    [
      'include /var/vcap/jobs/web/config/*.monitrc\n',
      'line 1: "include /var/vcap/jobs/web/config/*.monitrc" is not followed: its processes belong into a *.monit file beside this one',
    ],
    [
      'check process x pidfile /p\n  start program "/s"\ninclude "/x"\n',
      'line 3: "include /x" is not followed: its processes belong into a *.monit file beside this one',
    ],
    [
      'check process x pidfile /p\n  start program "/s"\n  stopp program "/s stop"\n',
      'line 3: "stopp" is no statement of monit',
    ],
    [
      'check process x pidfile run/x.pid\n  start program "/s"\n',
      'line 1: process x would not be supervised: "run/x.pid" is no absolute path',
    ],
    [
      'check process x with pidfile\n  start program "/s"\n',
      'line 1: process x would not be supervised: it has no pidfile, and no path of a file',
    ],
    [
      'check process x pidfile /p\n  start program\n  stop program "/s"\n',
      'line 1: process x would not be supervised: it has no start program',
    ],
    ...[
      'check process with pidfile /p',
      'check process "web/1" pidfile /p',
      `check process ${'x'.repeat(101)} pidfile /p`,
    ].map((check): [string, string] => [
      `${check} start program "/s"\n`,
      `line 1: process ${/process "?(web.1|x+|)/.exec(check)![1] || 'without a name'} would not be supervised: a name is needed, of at most 100 characters and without a slash`,
    ]),
  ])('is a fault where its monit file would not be carried out: %j', async ([monit, message]) => {
    expect(await faultOf({ templates: {}, monit })).toMatchObject({ message: `template web/monit ${message}` })
  })

  it('says what its monit files have supervised, and what they say without effect, the first few', async () => {
    const monit = `check process web pidfile /run/../p start program "/s" stop program "/s" with timeout 60 seconds\n  if totalmem > 500 MB\n  then restart\n  depends on b\n${'  every 2 cycles\n'.repeat(4)}`
    expect(await renderer.render([await request({ templates: {}, monit })])).toMatchObject([
      {
        supervision: {
          processes: [{ name: 'web', pidfile: '/p' }],
          idle: [
            'the stop timeout of 60 s has no effect (monit:1)',
            '"if totalmem > 500 MB then restart" (monit:2)',
            '"depends on b" (monit:4)',
            '"every 2 cycles" (monit:5)',
            '"every 2 cycles" (monit:6)',
            'and 2 more',
          ],
        },
      },
    ])
  })

  it('is a fault where its health checks cannot be read', async () => {
    const templates = { 'health.erb': '- type: tcp\n  port: <%= p("port") %>\n- type: tpc\n' }
    const fault = await faultOf({ templates, to: { 'health.erb': './health_checks.yml' } })
    expect(fault.message).toMatch(/^template web\/health\.erb line 3: \[1\]\.type: /)
  })

  it.for([
    '',
    '# nothing to supervise\n',
    'set daemon 5\ncheck file log path /log\n  if size > 1 MB then alert\ncheck process a pidfile /p start program "/s"\n depends on b\n',
    'check process a\n  with pidfile /p\n  start program "/s"\n    as uid vcap and gid vcap\n    with timeout 60 seconds\n  if failed port 80\n    protocol http\n    for 3 cycles\n  then restart\n  every 2 cycles\n  mode active\n  group vcap\n',
  ])('has a monit file with nothing to do here, or with more than has an effect: %j', async (monit) => {
    expect((await renderer.renderFiles(await request({ templates: {}, monit }))).digest).toMatch(/^sha256:/)
  })

  it('keeps bytes that are no text and paths longer than a tar header takes', async () => {
    const long = `config/${'deep/'.repeat(40)}file`
    const text = { templates: { 'x.erb': '<%= [0, 255, 254, 65].pack("C*") %>' }, to: { 'x.erb': long } }
    const { files } = await renderer.renderFiles(await request(text))
    expect(files.map(({ path, content }) => [path, [...content]])).toEqual([[long, [0, 255, 254, 65]]])
  })

  it('is larger than one stored block without loss', async () => {
    const { digest, files } = await renderer.renderFiles(
      await request({ templates: { 'x.erb': '<%= "0123456789" * 20_000 %>' } }),
    )
    expect(files[0]?.content.toString()).toBe('0123456789'.repeat(20_000))
    expect(gunzipSync(await blobs.get(digest)).length % 512).toBe(0)
  })

  it('has the same digest from another renderer', async () => {
    const one = await request({ templates: { 'x.erb': '<%= p("port") %>' }, monit: '' })
    const other = new TemplateRenderer({ blobs, threads: 1 })
    try {
      expect(await other.render([one])).toEqual(await renderer.render([one]))
      expect([other.rendered]).toEqual([1])
    } finally {
      await other.close()
    }
  })
})

describe('nothing is rendered twice', () => {
  it('renders equal requests once, within a call and across calls at the same time', async () => {
    const text = { templates: { 'x.erb': 'once <%= p("port") %>' } }
    const before = renderer.rendered
    const many = await Promise.all(Array.from({ length: 500 }, () => request(text)))
    const [first, second] = await Promise.all([renderer.render(many), renderer.render(many)])
    expect(new Set([...first, ...second].map((result) => ('digest' in result ? result.digest : '')))).toHaveLength(1)
    expect(renderer.rendered - before).toBe(1)
  })

  it('renders again what changed and only that', async () => {
    const text = { templates: { 'x.erb': 'changed <%= p("n") %>' } }
    const plan = (changed: number) =>
      Promise.all(Array.from({ length: 20 }, (_, n) => request(text, contextOf({ n: n === 7 ? changed : n }))))
    await renderer.render(await plan(7))
    const before = renderer.rendered
    await renderer.render(await plan(1000))
    expect(renderer.rendered - before).toBe(1)
  })

  it('tells contexts apart that differ in the order of keys, which a template can see', async () => {
    const text = { templates: { 'x.erb': '<%= p("list").to_json %>' } }
    const [one, other] = await renderer.render([
      await request(text, contextOf({ list: [{ a: 1, b: 2 }] })),
      await request(text, contextOf({ list: [{ b: 2, a: 1 }] })),
    ])
    expect(one).not.toEqual(other)
  })

  it('remembers across a restart, and renders again where the blob was swept', async () => {
    const one = await request({ templates: { 'x.erb': 'kept <%= p("port") %>' } })
    const counts: number[] = []
    const run = async () => {
      const fresh = new TemplateRenderer({ blobs, cacheDirectory: directory, threads: 1 })
      const [result] = await fresh.render([one])
      counts.push(fresh.rendered)
      await fresh.close()
      return (result as { digest: string }).digest
    }
    const digest = await run()
    expect(await run()).toBe(digest)
    await blobs.delete(digest)
    expect(await run()).toBe(digest)
    expect(counts).toEqual([1, 0, 1])
    expect(await blobs.has(digest)).toBe(true)
  })

  it('keeps no content in the file of the cache', async () => {
    const fresh = new TemplateRenderer({ blobs, cacheDirectory: directory, threads: 1 })
    await fresh.render([
      await request({ templates: { 'x.erb': '<%= p("password") %>' } }, contextOf({ password: 'swordfish' })),
    ])
    await fresh.close()
    const lines = (await readFile(join(directory, 'rendered.log'), 'utf8')).trim().split('\n')
    for (const line of lines) expect(line).toMatch(/^[0-9a-f]{64} sha256:[0-9a-f]{64}$/)
  })
})

describe('a fault', () => {
  it('names job, template, line and property, at the place of the request', async () => {
    const text = { templates: { 'config.yml.erb': 'a\nb\n<%= p("port") %>' }, properties: ['port', 'host'] }
    expect(await faultOf(text, contextOf({}))).toEqual({
      ...place,
      message: 'template web/config.yml.erb line 3: property "port" is not set',
    })
  })

  it('suggests the nearest property the job declares', async () => {
    const fault = await faultOf({
      templates: { 'x.erb': '<%= p("listen.prot") %>' },
      properties: ['listen.port', 'host'],
    })
    expect(fault).toMatchObject({
      message: 'template web/x.erb line 1: property "listen.prot" is not set',
      suggestion: 'listen.port',
    })
  })

  it('suggests the nearest link, and the nearest property of a link', async () => {
    const links = { database: { address: 'db', instances: [], properties: { user: { name: 'x' } } } }
    const link = await faultOf({ templates: { 'x.erb': '<% link("databse") %>' } }, contextOf({}, { links }))
    expect(link).toMatchObject({
      message: 'template web/x.erb line 1: link "databse" is not there',
      suggestion: 'database',
    })
    const property = await faultOf(
      { templates: { 'x.erb': '<% link("database").p("user.nam") %>' } },
      contextOf({}, { links }),
    )
    expect(property).toMatchObject({
      message: 'template web/x.erb line 1: property "user.nam" of link "database" is not set',
      suggestion: 'user.name',
    })
  })

  it('tells the first fault of every template', async () => {
    const templates = { 'a.erb': '<% p("x") %>\n<% p("y") %>', 'b.erb': 'fine', 'c.erb': '\n<% raise "no port" %>' }
    const fault = await faultOf({ templates, monit: '<% if true %>' }, contextOf({}))
    expect(fault.message).toBe(
      'template web/a.erb line 1: property "x" is not set; template web/c.erb line 2: no port; ' +
        'template web/monit line 1: the Ruby in it is not valid: expected an `end` to close the conditional clause, ' +
        'unexpected end-of-input, assuming it is closing the parent top level context',
    )
  })

  it('hides a secret that the template quotes', async () => {
    const templates = { 'x.erb': '<% raise "cannot use #{p("db.password")} in mode #{p("mode")}" %>' }
    const fault = await faultOf({ templates }, contextOf({ db: { password: 'swordfish' }, mode: 'quick' }))
    expect(fault.message).toBe('template web/x.erb line 1: cannot use (hidden) in mode quick')
  })

  it('reports a template that the archive does not hold or that would leave the directory', async () => {
    const one = await request({ templates: { 'x.erb': '' }, to: { 'x.erb': '../../etc/passwd' } })
    one.job.templates['gone.erb'] = 'config/gone'
    const [result] = await renderer.render([one])
    expect(result).toMatchObject({
      fault: {
        message:
          'template web/x.erb would be written outside of the job\'s directory, to "../../etc/passwd"; ' +
          "template web/gone.erb is not in the job's archive",
      },
    })
  })

  it('of one job leaves the others their result', async () => {
    const results = await renderer.render([
      await request({ templates: { 'x.erb': '<% raise "no" %>' } }),
      await request({ templates: { 'x.erb': 'yes' } }),
    ])
    expect(results).toEqual([
      { fault: expect.anything() },
      { digest: expect.stringMatching(/^sha256:/), supervision: { processes: [], idle: [] } },
    ])
  })

  it('of an archive that is missing is an error of the call', async () => {
    const one = await request({ templates: {} })
    one.job.digest = `sha256:${'0'.repeat(64)}`
    await expect(renderer.render([one])).rejects.toMatchObject({ code: 'not-found' })
  })

  it('is thrown with its place where files are asked for', async () => {
    const error = await renderer
      .renderFiles(await request({ templates: { 'x.erb': '<% raise "no" %>' } }))
      .catch((thrown) => thrown)
    expect(error).toBeInstanceOf(RemodelError)
    expect(error).toMatchObject({
      code: 'invalid-input',
      faults: [{ ...place, message: 'template web/x.erb line 1: no' }],
    })
  })
})

describe('a template is shut in', () => {
  it('sees nothing of the template before it', async () => {
    const templates = {
      'a.erb': '<% def p(*) = "mine"; LIMIT = 3; class Own; end; @@shared = 1 %><%= p("port") %>',
      'b.erb': '<%= p("port") %> <%= [defined?(LIMIT), defined?(Own), self.class.class_variables].inspect %>',
      'c.erb': '<% raw_properties["port"] = 1 %>',
      'd.erb': '<%= p("port") %>',
    }
    const { files } = await renderer.renderFiles(await request({ templates }))
    expect(Object.fromEntries(files.map(({ path, content }) => [path, content.toString()]))).toEqual({
      'config/a': 'mine',
      'config/b': '8080 [nil, nil, []]',
      'config/c': '',
      'config/d': '8080',
    })
  })

  it('reads no file, no environment and prints nowhere', async () => {
    process.env.RENDER_TEST_SECRET = 'seen'
    const templates = {
      'x.erb':
        '<% $stdout.puts "seen"; warn "seen" %><%= ENV.to_h.inspect %> <%= File.exist?("/etc/passwd") %> <%= Dir.glob("/**").inspect %>',
    }
    const { files } = await renderer.renderFiles(await request({ templates }))
    delete process.env.RENDER_TEST_SECRET
    expect(files[0]?.content.toString()).toBe('{} false []')
  })

  it.each([
    ['JavaScript', '<% require "js.so"; JS.eval("process.exit(3)") %>', 'ended the interpreter'],
    ['the end of its process', '<% exit! %>', 'ended the interpreter'],
    ['an endless loop', '<% loop { } %>', 'did not end within 1.5 s'],
    ['a long sleep in a loop', '<% loop { sleep 1000 } %>', 'did not end within 1.5 s'],
  ])('reaching for %s is its fault; the rest of the call and the next one go on', async (_what, source, reason) => {
    const good = (n: number) =>
      request({ templates: { 'x.erb': `good <%= p("n") %> ${source.length}` } }, contextOf({ n }))
    const bad = await request({ templates: { 'first.erb': 'fine', 'x.erb': source } })
    const results = await renderer.render([await good(1), bad, await good(2), await good(3)])
    expect(results.map((result) => ('fault' in result ? result.fault.message : 'digest'))).toEqual([
      'digest',
      `template web/x.erb: ${reason}`,
      'digest',
      'digest',
    ])
    expect(await renderer.render([await good(4)])).toEqual([
      { digest: expect.any(String), supervision: { processes: [], idle: [] } },
    ])
  })
})

describe('the threads', () => {
  it('are none before the first render, at most as many as asked for, and none after close', async () => {
    const fresh = new TemplateRenderer({ blobs, threads: 2 })
    expect(fresh.threads).toHaveLength(0)
    const many = await Promise.all(
      Array.from({ length: 300 }, (_, n) => request({ templates: { 'x.erb': 'n <%= p("n") %>' } }, contextOf({ n }))),
    )
    await fresh.render(many)
    expect(fresh.threads).toHaveLength(2)
    await fresh.close()
    expect(fresh.threads).toHaveLength(0)
  })

  it('are replaced after a template that took very much memory', async () => {
    const fresh = new TemplateRenderer({ blobs, threads: 1 })
    await fresh.render([await request({ templates: { 'x.erb': '<%= ("a" * 250_000_000).size %>' } })])
    const [greedy] = fresh.threads
    const [result] = await fresh.render([await request({ templates: { 'x.erb': 'after the greedy one' } })])
    expect(result).toEqual({ digest: expect.any(String), supervision: { processes: [], idle: [] } })
    expect(fresh.threads).not.toEqual([greedy])
    await fresh.close()
  })

  it('are closed under work: what waits is rejected as cancelled', async () => {
    const fresh = new TemplateRenderer({ blobs, threads: 1 })
    const pending = fresh.render([await request({ templates: { 'x.erb': '<% loop { } %>' } })])
    pending.catch(() => undefined)
    while (fresh.threads.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await fresh.close()
    await expect(pending).rejects.toMatchObject({ code: 'cancelled' })
    await expect(fresh.render([await request({ templates: { 'x.erb': 'after' } })])).rejects.toMatchObject({
      code: 'cancelled',
    })
  })

  it('that wait do not keep a process alive that forgot to close, and it prints nothing of its own', async () => {
    const script = fileURLToPath(new URL('./forgotten.ts', import.meta.url))
    const { stdout, stderr } = await execa(process.execPath, [script], { timeout: 120_000 })
    expect([stdout, stderr]).toEqual(['8080', ''])
  }, 150_000)

  it('leave the event loop free while they render', async () => {
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    await renderer.render([await request({ templates: { 'x.erb': '<% t = Time.now; nil while Time.now - t < 3 %>' } })])
    clearInterval(timer)
    // It would be three seconds where the template ran on the event loop's thread.
    expect(longest).toBeLessThan(2500)
  })
})
