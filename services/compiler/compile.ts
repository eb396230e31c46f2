import type { CompileSpec } from '../../shared/compile/requests.ts'
import { RemodelError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../shared/provider/layout.ts'
import type { Archive, Ingredients } from './gather.ts'
import { Output } from './output.ts'

const archiveFile = `${layout.data}/compiled.tgz`

/** What a packaging script made, as bytes. */
export interface Compiled {
  archive: Buffer
  durationMs: number
}

/**
 * Compiles one package on a machine, as BOSH's agent does: source unpacked to its own directory, direct dependencies
 * only, `bash -x packaging` with exactly the four BOSH_ variables, then the install directory as an archive. The machine is as
 * new when it begins, and every process that the script left is ended before its result is packed.
 * The archive is reproducible as far as the package is: sorted names, no times, no owners. It is packed for speed: on a busy
 * machine packing it well would cost more than moving it.
 *
 * Most packages are small: what one costs is how often the machine is asked and how many processes are started there.
 * So there is one call each to unpack, compile, archive and read, and one for each dependency.
 *
 * Throws `job-failed` with the ends of the output where the script fails or leaves nothing that can be packed: on a machine that
 * stands, what goes wrong once the script has run is the package's doing. `infrastructure` where the disk of the machine is full,
 * also without what the package wrote; the reason of `signal`, with the output so far, where that stops it.
 */
export async function compile(
  connection: Connection,
  spec: CompileSpec,
  { source, dependencies }: Ingredients,
  signal: AbortSignal,
): Promise<Compiled> {
  const started = performance.now()
  const work = `${layout.data}/compile/${spec.name}`
  const target = `${layout.packages}/${spec.name}`
  const installed = layout.packageData(spec.name, spec.key)
  await connection.renew()
  await run(
    connection,
    shell('mkdir -p "$1" "$2"; ln -s "$2" "$3"; exec tar "$4" --no-same-owner -C "$1" -f -', [
      work,
      installed,
      target,
      extract(source),
    ]),
    signal,
    source.bytes,
  )
  await Promise.all(
    dependencies.map(({ name, key, archive }) =>
      run(
        connection,
        shell('mkdir -p "$1"; ln -sfn "$1" "$2"; exec tar "$3" --no-same-owner -C "$1" -f -', [
          layout.packageData(name, key),
          `${layout.packages}/${name}`,
          extract(archive),
        ]),
        signal,
        archive.bytes,
      ),
    ),
  )
  await failpoint('compiler.unpacked')
  await runScript(connection, spec, { work, target }, signal)
  await failpoint('compiler.compiled')
  await connection.endProcesses()
  await pack(connection, spec, installed, signal)
  const archive = await connection.read(archiveFile)
  return { archive, durationMs: Math.round(performance.now() - started) }
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

async function runScript(
  connection: Connection,
  spec: CompileSpec,
  { work, target }: { work: string; target: string },
  signal: AbortSignal,
): Promise<void> {
  const output = new Output()
  const result = await connection
    .exec(['/bin/bash', '-x', 'packaging'], {
      cwd: work,
      env: {
        PATH: scriptPath,
        BOSH_COMPILE_TARGET: work,
        BOSH_INSTALL_TARGET: target,
        BOSH_PACKAGE_NAME: spec.name,
        BOSH_PACKAGE_VERSION: spec.fingerprint,
      },
      signal,
      onOutput: (chunk, from) => output.add(chunk, from),
    })
    .catch((error) => {
      throw signal.aborted ? stopped(spec, signal, output) : error
    })
  if (signal.aborted) throw stopped(spec, signal, output)
  if (result.exitCode === 0) return
  const how = result.exitCode === null ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`
  throw await failure(connection, spec, how, String(output))
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

/** Looked at from outside of what the script could change, and without what it wrote: the second renewal waits until that is gone. */
async function isFull(connection: Connection): Promise<boolean> {
  const { freeBytes } = await connection.renew()
  return freeBytes < fullBelowBytes && (await connection.renew()).freeBytes < fullBelowBytes
}

function extract({ gzip }: Archive): string {
  return gzip ? '-xz' : '-x'
}

function shell(script: string, args: readonly string[]): string[] {
  return ['/bin/sh', '-euc', script, 'sh', ...args]
}

async function run(
  connection: Connection,
  argv: readonly string[],
  signal: AbortSignal,
  stdin?: Uint8Array,
): Promise<void> {
  const result = await connection.exec(argv, { signal, ...(stdin ? { stdin } : {}) })
  if (result.exitCode !== 0) {
    throw new RemodelError(
      'infrastructure',
      `a command on the compile VM failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
      { details: { command: argv.join(' '), log: result.stderr } },
    )
  }
}
