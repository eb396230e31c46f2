import { once } from 'node:events'
import { addAbortSignal, PassThrough, Readable } from 'node:stream'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../shared/provider/layout.ts'
import { compiledRules, eachEntry } from '../../shared/release/entries.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import type { Archive, CompileInputs } from './gather.ts'
import { Output } from './output.ts'

const archiveFile = `${layout.data}/compiled.tgz`

/** A package to be compiled, and where to put what comes out: an archive as it is read, checked on its way. */
export interface Job<Result> {
  spec: CompileSpec
  inputs: CompileInputs
  store(archive: Readable): Promise<Result>
}

export interface Compiled<Result> {
  stored: Result
  durationMs: number
}

/**
 * Compiles one package on a machine, as BOSH's agent does: source unpacked to its own directory, direct dependencies
 * only, `bash -x packaging` with exactly the four BOSH_ variables, then the install directory as an archive. The
 * machine is as new when it begins, and every process that the script left is ended before its result is packed. The
 * archive is reproducible as far as the package is: sorted names, no times, no owners. It is packed for speed: on a
 * busy machine packing it well would cost more than moving it.
 *
 * Most packages are small: what one costs is how often the machine is asked and how many processes are started there.
 * So there is one call each to unpack, compile, archive and read, and one for each dependency.
 *
 * Throws `job-failed` with the ends of the output where the script fails or leaves nothing that can be packed: on
 * a machine that runs, what goes wrong once the script has run is the package's doing. `infrastructure` where
 * the disk of the machine is full, also without what the package wrote; the reason of `signal`, with the output
 * so far, where that stops it.
 */
export async function compile<Result>(
  connection: Connection,
  job: Job<Result>,
  signal: AbortSignal,
): Promise<Compiled<Result>> {
  const output = new Output()
  try {
    return await carryOut(connection, job, output, signal)
  } catch (error) {
    throw signal.aborted ? stopped(job.spec, signal, output) : error
  }
}

async function carryOut<Result>(
  connection: Connection,
  { spec, inputs: { source, dependencies }, store }: Job<Result>,
  output: Output,
  signal: AbortSignal,
): Promise<Compiled<Result>> {
  const started = performance.now()
  const work = `${layout.data}/compile/${spec.name}`
  const target = `${layout.packages}/${spec.name}`
  const installed = layout.packageData(spec.name, spec.key)
  await connection.renew()
  await unpack(connection, { spec, what: 'its source', archive: source, signal }, [work, installed, target])
  await Promise.all(
    dependencies.map(({ name, key, archive }) => {
      const data = layout.packageData(name, key)
      const link = `${layout.packages}/${name}`
      return unpack(connection, { spec, what: `the package ${name}`, archive, signal }, [data, data, link])
    }),
  )
  await failpoint('compiler.unpacked')
  const env = {
    PATH: scriptPath,
    BOSH_COMPILE_TARGET: work,
    BOSH_INSTALL_TARGET: target,
    BOSH_PACKAGE_NAME: spec.name,
    BOSH_PACKAGE_VERSION: spec.fingerprint,
  }
  const onOutput = (chunk: Buffer, from: 'stdout' | 'stderr') => output.add(chunk, from)
  const ended = await connection.exec(['/bin/bash', '-x', 'packaging'], { cwd: work, env, signal, onOutput })
  if (ended.exitCode !== 0) {
    const how = ended.exitCode === null ? `was ended by ${ended.signal}` : `exited with ${ended.exitCode}`
    throw await failure(connection, spec, how, String(output))
  }
  await failpoint('compiler.compiled')
  await connection.endProcesses()
  await pack(connection, spec, installed, signal)
  const archive = addAbortSignal(signal, connection.stream(archiveFile))
  const stored = await store(Readable.from(checked(archive, spec), { objectMode: false }))
  return { stored, durationMs: Math.round(performance.now() - started) }
}

interface Unpacking {
  spec: CompileSpec
  what: string
  archive: Archive
  signal: AbortSignal
}

/** Makes both directories and the link to the second one, then unpacks into the first one. */
async function unpack(
  connection: Connection,
  { spec, what, archive, signal }: Unpacking,
  paths: [string, string, string],
): Promise<void> {
  const { exitCode, stderr } = await connection.exec(
    [
      ...['/bin/sh', '-euc'],
      // tar may stop before the end of what it is given, and a blob that is broken says so there.
      'mkdir -p "$1" "$2"; ln -s "$2" "$3"; tar "$4" --no-same-owner -C "$1" -f -; [ "$4" = -x ] || exec cat > /dev/null',
      ...['sh', ...paths, archive.gzip ? '-xz' : '-x'],
    ],
    { signal, stdin: await archive.open() },
  )
  if (exitCode !== 0) throw await failure(connection, spec, `cannot begin: ${what} cannot be unpacked`, stderr)
}

/** One rule for compiled packages on every way: what is stored here can be exported, and uploaded elsewhere. */
async function* checked(archive: Readable, spec: CompileSpec): AsyncGenerator<Buffer> {
  const copy = new PassThrough()
  copy.on('error', () => {})
  const checking = eachEntry(copy, compiledRules(spec.name), async () => {}).catch((error) => {
    const [fault] = error instanceof RemodelError ? error.faults : []
    const why = fault ? [fault.path, fault.message].filter(Boolean).join(' ') : toError(error).message
    throw new RemodelError('job-failed', `packaging of ${spec.name} made what cannot be stored: ${why}`, {
      details: { package: spec.name, key: spec.key },
    })
  })
  checking.catch(() => {})
  for await (const chunk of archive) {
    if (!copy.write(chunk)) await Promise.race([once(copy, 'drain'), checking])
    yield chunk
  }
  copy.end()
  await checking
}

/** Whatever the script did to the directory or to the tools, what comes of it is the package's own. */
async function pack(connection: Connection, spec: CompileSpec, installed: string, signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await connection.exec(
    [
      ...['tar', '--create', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
      ...['--use-compress-program', 'gzip -n -1', '--file', archiveFile, '--directory', installed, '.'],
    ],
    { signal, env: { PATH: scriptPath } },
  )
  if (exitCode !== 0) throw await failure(connection, spec, 'left nothing that can be packed', stderr)
}

/** Why it was stopped, and what the script had said by then: what hung is at its end. */
function stopped(spec: CompileSpec, { reason }: AbortSignal, output: Output): unknown {
  if (!(reason instanceof RemodelError) || reason.code !== 'deadline') return reason
  return new RemodelError('deadline', `packaging of ${spec.name} ${reason.message}`, {
    details: { ...reason.details, log: String(output) },
    cause: reason,
  })
}

/** Less than this free is full. */
const fullBelowBytes = 2 ** 20

async function failure(connection: Connection, spec: CompileSpec, how: string, log: string): Promise<RemodelError> {
  const details = { log, package: spec.name, key: spec.key }
  // No fault of the package, and another machine has another disk.
  if (await isFull(connection))
    return new RemodelError('infrastructure', `packaging of ${spec.name} ${how}: the disk of its compile VM is full`, {
      details,
    })
  return new RemodelError('job-failed', `packaging of ${spec.name} ${how}`, { details })
}

/**
 * Looked at from outside of what the script could change, and without what it wrote: the second renewal
 * waits until that is gone.
 */
async function isFull(connection: Connection): Promise<boolean> {
  const { freeBytes } = await connection.renew()
  return freeBytes < fullBelowBytes && (await connection.renew()).freeBytes < fullBelowBytes
}
