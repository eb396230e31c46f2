import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseMonit } from '../../shared/release/monit.ts'

it('reads processes as BOSH releases write them', () => {
  const text = `# the web server
check process web
  with pidfile /var/vcap/sys/run/web/web.pid
  start program "/var/vcap/jobs/web/bin/ctl start" with timeout 60 seconds
  stop program = '/var/vcap/jobs/web/bin/ctl stop'   # at once
  group vcap

check process "worker_1" with pidfile "/var/vcap/sys/run/worker/1.pid"
  start program "/var/vcap/bosh/bin/bpm start worker -p '1'"
  stop program "/var/vcap/bosh/bin/bpm stop worker" and using the timeout 2 minutes
  group vcap
`
  expect(parseMonit(text)).toEqual({
    processes: [
      {
        name: 'web',
        pidfile: '/var/vcap/sys/run/web/web.pid',
        start: '/var/vcap/jobs/web/bin/ctl start',
        stop: '/var/vcap/jobs/web/bin/ctl stop',
        startTimeoutSeconds: 60,
      },
      {
        name: 'worker_1',
        pidfile: '/var/vcap/sys/run/worker/1.pid',
        start: "/var/vcap/bosh/bin/bpm start worker -p '1'",
        stop: '/var/vcap/bosh/bin/bpm stop worker',
      },
    ],
    warnings: [{ line: 10, message: expect.stringContaining('120 s') }],
    unknown: [],
  })
})

it('lists what is not understood with its line, and goes on behind it', () => {
  const text = `set daemon 5
check process a with pidfile /a.pid
  start program "/a" as uid "vcap" and gid "vcap" timeout 90 seconds
  stop program "/b"
  if totalmem > 500 MB for 2 cycles
    then restart
  if failed host 127.0.0.1 port 80 protocol http then exec "/bin/false start"
  group vcap
  depends on b
check file log path /log
  start program "/log"
  if size > 1 MB then alert
check process b pidfile /b.pid start program "/c" stop program "/d" group vcap
`
  const { processes, warnings, unknown } = parseMonit(text)
  expect(processes.map(({ name, start, stop }) => [name, start, stop])).toEqual([
    ['a', '/a', '/b'],
    ['log', '/log', ''],
    ['b', '/c', '/d'],
  ])
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('log has no stop program')])
  expect(unknown.map((note) => note.line)).toEqual([1, 5, 7, 9, 12])
  expect(processes[0]).toMatchObject({ startTimeoutSeconds: 90, startAs: { uid: 'vcap', gid: 'vcap' } })
  expect(unknown[1]?.message).toBe('if totalmem > 500 MB for 2 cycles then restart')
})

it('takes a file that has a start program for a process, which runs while the file is there', () => {
  const { processes, unknown } = parseMonit(
    'check file routes\n  with path "/run/routes"\n  start program "/ctl start" as uid "vcap"\n  stop program "/ctl stop"\n  group vcap\n' +
      'check file log with path /log\n  if size > 1 MB then alert\n',
  )
  expect(processes).toMatchObject([
    { name: 'routes', file: '/run/routes', start: '/ctl start', stop: '/ctl stop', startAs: { uid: 'vcap' } },
  ])
  expect(unknown.map(({ line }) => line)).toEqual([6])
})

it('warns of a process that it cannot supervise', () => {
  const { processes, warnings } = parseMonit(
    'check process a matching "ruby .*a"\n start program "/a"\n stop program "/b"\ncheck process c with pidfile /c\n',
  )
  expect(processes).toEqual([])
  expect(warnings.map((note) => [note.line, note.message])).toEqual([
    [1, expect.stringContaining('matching')],
    [1, expect.stringContaining('no pidfile')],
    [4, expect.stringContaining('no start program')],
  ])
})

it('never fails and never runs on, whatever the text', () => {
  const word = fc.constantFrom(
    'check',
    'process',
    'a',
    'with',
    'pidfile',
    '/p',
    'start',
    'stop',
    'program',
    '"/x y"',
    "'z",
    'timeout',
    '5',
    'seconds',
    'group',
    'if',
    'as',
    '#',
    '\n',
    '=',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), fc.constantFrom(' ', '\n'), (words, gap) =>
      Array.isArray(parseMonit(words.join(gap)).processes),
    ),
  )
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseMonit(text).unknown)))
})
