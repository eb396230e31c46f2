import { describe, expect, test } from 'vitest'
import { positionsOf, readLogs } from '../../services/planner/http/logs.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { machineForEachTest } from '../provider/machine.ts'

let machine: Connection
machineForEachTest((on) => {
  machine = on.machine
})

const log = '/var/vcap/sys/log/web/web.log'
const write = (content: string, path = log) => machine.write(path, content)
const append = (text: string) => machine.exec(['sh', '-c', `cat >> ${log}`], { stdin: text })
const last = (lines: number) => readLogs(machine, [], { lines })
const since = (next: string) => readLogs(machine, [], { after: positionsOf(next) })

describe('logs of an instance', () => {
  test('are the last lines of each file, whole ones, also of a file that is larger than an answer', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} Grüße`)
    await write(`${lines.join('\n')}\n`)
    await write('no end of a line', '/var/vcap/sys/log/web/other.log')
    expect((await last(2)).files).toEqual([
      { path: '/var/vcap/sys/log/web/other.log', content: 'no end of a line' },
      { path: log, content: 'line 19998 Grüße\nline 19999 Grüße\n' },
    ])
    const [, whole] = (await last(10_000)).files
    expect(lines.join('\n').endsWith(whole!.content.trimEnd())).toBe(true)
    expect(whole!.content).toMatch(/^line \d+ Grüße\n/)
  })

  test('go on where an answer ended: whole lines, each once, and nothing where nothing was written', async () => {
    await write('one\n')
    const first = await last(10)
    expect((await since(first.next)).files).toEqual([])
    await append('two\nGrü')
    const second = await since(first.next)
    expect(second.files).toEqual([{ path: log, content: 'two\n' }])
    await append('ße\n')
    const third = await since(second.next)
    expect(third.files).toEqual([{ path: log, content: 'Grüße\n' }])
    expect((await since(third.next)).files).toEqual([])
  })

  test('begin anew with a file that was replaced by a shorter one, and have one that is new from its start', async () => {
    await write('a long line of before\n')
    const { next } = await last(10)
    await write('new\n')
    await write('other\n', '/var/vcap/sys/log/web/other.log')
    expect((await since(next)).files).toEqual([
      { path: '/var/vcap/sys/log/web/other.log', content: 'other\n' },
      { path: log, content: 'new\n' },
    ])
  })

  test('come whole however much was written meanwhile, a line of any length too', async () => {
    await write('start\n')
    const { next } = await last(1)
    const text = `${'x'.repeat(600_000)}\nthe end\n`
    await append(text)
    let read = ''
    for (let place = next; ; ) {
      const answer = await since(place)
      if (answer.files.length === 0) break
      read += answer.files.map(({ content }) => content).join('')
      place = answer.next
    }
    expect(read).toBe(text)
  })

  test('are refused behind a place that is none', () => {
    expect(() => positionsOf('nonsense')).toThrow('`after` is no `next`')
    expect(() => positionsOf(Buffer.from('{"a":-1}').toString('base64url'))).toThrow('`after` is no `next`')
  })
})
