import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { create } from 'tar'
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../shared/provider/connection.ts'
import { machineForEachTest } from './machine.ts'
import { fence, type Place, until } from './place.ts'

let place: Place
let machine: Connection
machineForEachTest((on) => {
  place = on.place
  machine = on.machine
})

describe('a command on a VM', () => {
  it('has the environment, the directory and the input it was given, and nothing else', async () => {
    const result = await machine.exec(['sh', '-c', 'env | sort; pwd; cat; echo oops >&2; exit 3'], {
      env: { A: 'b=c d' },
      cwd: '/tmp',
      stdin: 'in',
    })
    expect(result).toEqual({
      exitCode: 3,
      signal: null,
      stdout: 'A=b=c d\nPATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin\nPWD=/tmp\n/tmp\nin',
      stderr: 'oops\n',
    })
  })

  it('that does not exist exits with 127, one killed tells its signal', async () => {
    expect(await machine.exec(['no-such-command'])).toMatchObject({
      exitCode: 127,
      stderr: expect.stringContaining('No such file'),
    })
    expect(await machine.exec(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
  })

  it('may say anything: the first and the last 64 KiB are kept, all of it is passed on as it comes', async () => {
    let passed = 0
    const script = 'yes head | head -c 5000000; echo; echo the end'
    const { stdout } = await machine.exec(['sh', '-c', script], { onOutput: (chunk) => (passed += chunk.length) })
    expect(passed).toBe(5_000_009)
    expect(stdout.startsWith('head\nhead\n')).toBe(true)
    expect(stdout.endsWith('the end\n')).toBe(true)
    expect(stdout).toContain(`\n[... ${5_000_009 - 131_072} bytes left out ...]\n`)
    expect(stdout.length).toBeLessThan(132_000)
  })

  it('gets 50 MB of input unharmed, at the pace it reads', { timeout: 30_000 }, async () => {
    const block = randomBytes(1_000_000)
    const expected = createHash('sha256')
    for (let i = 0; i < 50; i++) expected.update(block)
    const { stdout } = await machine.exec(['sh', '-c', 'sleep 0.2; sha256sum'], {
      stdin: Readable.from(Array(50).fill(block)),
    })
    expect(stdout.split(' ')[0]).toBe(expected.digest('hex'))
  })

  it('that does not read its input still ends, and the source is let go', async () => {
    const endless = new Readable({ read() {} })
    endless.push('x')
    expect((await machine.exec(['true'], { stdin: endless })).exitCode).toBe(0)
    expect(endless.destroyed).toBe(true)
    expect((await machine.exec(['true'], { stdin: Buffer.alloc(5_000_000) })).exitCode).toBe(0)
  })

  it.each(['abort', 'timeout', 'close'])('is killed with everything it started on %s', async (how) => {
    const abort = new AbortController()
    const script =
      'setsid sh -c "setsid sleep 1000 & setsid sleep 1000 & sleep 1000" & echo started; trap "" TERM; while :; do sleep 1; done'
    const running = machine.exec(['sh', '-c', script], {
      signal: abort.signal,
      ...(how === 'timeout' ? { timeoutMs: 200 } : {}),
      onOutput: () => how === 'abort' && abort.abort(),
    })
    if (how === 'close') setTimeout(() => machine.close(), 100)
    await expect(running).rejects.toMatchObject({ code: how === 'timeout' ? 'deadline' : 'cancelled' })
    machine.close()
    machine = await place.provider.connect('w', fence(1))
    await until(async () => (await machine.exec(['pgrep', 'sleep'])).stdout === '')
  })

  it('that leaves a daemon behind ends all the same, and the daemon lives', async () => {
    const { stdout } = await machine.exec(['sh', '-c', 'sleep 1000 & echo $!'])
    // Between fork and exec it is still the shell.
    await expect.poll(async () => (await machine.exec(['cat', `/proc/${stdout.trim()}/comm`])).stdout).toBe('sleep\n')
  })

  it('whose reader throws fails with that error', async () => {
    const fault = new Error('mine')
    const running = machine.exec(['sh', '-c', 'echo x; sleep 1000'], {
      onOutput: () => {
        throw fault
      },
    })
    await expect(running).rejects.toBe(fault)
  })

  it('may be one of two hundred at once, and each has its own output', async () => {
    const many = await Promise.all(Array.from({ length: 200 }, (_, n) => machine.exec(['echo', String(n)])))
    expect(many.map((one) => one.stdout)).toEqual(many.map((_, n) => `${n}\n`))
  })

  it('leaves no descriptor open in this process nor in the agent', async () => {
    const own = () => readdirSync('/proc/self/fd').length
    const agents = async () => Number((await machine.exec(['sh', '-c', 'ls /proc/1/fd | wc -l'])).stdout)
    await machine.exec(['true'])
    const before = { own: own(), agents: await agents() }
    for (let i = 0; i < 30; i++) await machine.exec(['sh', '-c', 'echo x; echo y >&2'], { stdin: 'z' })
    // The agent closes those of a command a moment after its answer.
    await until(async () => own() <= before.own && (await agents()) <= before.agents)
  })
})

describe('files on a VM', () => {
  it('are written whole with their mode, below directories that are made, and read back', async () => {
    const content = randomBytes(3_000_000)
    await machine.write('/var/vcap/jobs/web/bin/ctl', content, 0o750)
    expect((await machine.read('/var/vcap/jobs/web/bin/ctl')).equals(content)).toBe(true)
    const { stdout } = await machine.exec([
      'sh',
      '-c',
      'stat -c %a /var/vcap/jobs/web/bin/ctl; ls -A /var/vcap/jobs/web/bin',
    ])
    expect(stdout).toBe('750\nctl\n')
  })

  it('is streamed no faster than it is read, and not a byte is lost', async () => {
    await machine.exec(['sh', '-c', 'head -c 20000000 /dev/urandom > /tmp/big'])
    const { stdout } = await machine.exec(['sha256sum', '/tmp/big'])
    const hash = createHash('sha256')
    let pieces = 0
    for await (const piece of machine.stream('/tmp/big')) {
      hash.update(piece as Buffer)
      if (++pieces < 20) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(stdout).toContain(hash.digest('hex'))
    await expect(machine.stream('/none').toArray()).rejects.toMatchObject({ code: 'not-found' })
  })

  it('that is not read to its end leaves no command behind', async () => {
    await machine.exec(['sh', '-c', 'head -c 20000000 /dev/zero > /tmp/big'])
    for await (const _ of machine.stream('/tmp/big')) break
    await until(
      async () =>
        (await machine.exec(['sh', '-c', 'cat /proc/[0-9]*/comm'])).stdout.split('remodel-keeper').length === 2,
    )
  })

  it('that are missing are not found; places that cannot be written to say why', async () => {
    await expect(machine.read('/none')).rejects.toMatchObject({ code: 'not-found' })
    await expect(machine.write('/proc/none', 'x')).rejects.toMatchObject({
      code: 'job-failed',
      message: expect.stringContaining('/proc/none'),
    })
  })

  it('are unpacked from tar and tar.gz, from memory and from streams', async () => {
    const packed = create({ cwd: 'test/provider', portable: true }, ['place.ts']).read() as unknown
    const chunks: Buffer[] = packed ? [packed as Buffer] : []
    for await (const chunk of create({ cwd: 'test/provider', portable: true }, ['place.ts']))
      chunks.push(chunk as Buffer)
    const tar = Buffer.concat(chunks.slice(packed ? 1 : 0))
    const forms = [
      tar,
      gzipSync(tar),
      Readable.from([tar]),
      Readable.from([gzipSync(tar).subarray(0, 1), gzipSync(tar).subarray(1)]),
    ]
    for (const [n, form] of forms.entries()) {
      await machine.unpack(`/var/vcap/packages/p${n}`, form)
      expect(String(await machine.read(`/var/vcap/packages/p${n}/place.ts`))).toContain('class Place')
    }
    await expect(machine.unpack('/tmp/x', Buffer.from('no archive at all'))).rejects.toMatchObject({
      code: 'job-failed',
    })
  })
})

describe('a stream to a unix socket of a VM', () => {
  const echo = `perl -MIO::Socket::UNIX -e '
    my $l = IO::Socket::UNIX->new(Local => "/run/echo", Listen => 5) or die; print "up\n"; STDOUT->flush;
    while (my $c = $l->accept) { next if fork; while (sysread $c, my $b, 65536) { print {$c} $b; $c->flush } exit }'`

  async function listening(): Promise<AbortController> {
    const ending = new AbortController()
    await new Promise<void>((resolve) => {
      machine.exec(['sh', '-c', echo], { signal: ending.signal, onOutput: () => resolve() }).catch(() => {})
    })
    return ending
  }

  it('carries bytes both ways, more than any buffer holds, and ends with its peer', async () => {
    const ending = await listening()
    const stream = await machine.dial('/run/echo')
    const sent = randomBytes(3_000_000)
    stream.end(sent)
    const got: Buffer[] = []
    for await (const chunk of stream) got.push(chunk)
    expect(Buffer.concat(got).equals(sent)).toBe(true)
    const other = await machine.dial('/run/echo')
    const gone = new Promise((resolve) => other.once('close', resolve))
    // Both the listener and the one that it forks for this stream are there by then, and end.
    other.write('x')
    await once(other, 'data')
    other.resume()
    await machine.exec(['sh', '-c', 'kill -9 $(pgrep -x perl)'])
    await gone
    ending.abort()
  })

  it('is closed at its other end when it is destroyed, or its connection closed', async () => {
    const ending = await listening()
    const relays = async () => {
      const { stdout } = await machine.exec(['sh', '-c', 'cat /proc/net/unix | grep -c "/run/echo" || true'])
      return Number(stdout)
    }
    const idle = await relays()
    const another = await place.provider.connect('w', null)
    const streams = [await machine.dial('/run/echo'), await another.dial('/run/echo')]
    expect(await relays()).toBeGreaterThan(idle)
    streams[0]!.destroy()
    another.close()
    streams[1]!.on('error', () => {})
    await until(async () => (await relays()) === idle)
    ending.abort()
  })

  it('is refused where there is no such socket', async () => {
    await expect(machine.dial('/run/none')).rejects.toMatchObject({ code: 'not-found' })
  })
})
