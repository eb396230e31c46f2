import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex } from '../../shared/compile/compiled.ts'
import type { CompileSpec } from '../../shared/compile/requests.ts'
import { RemodelError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../shared/provider/layout.ts'

const archiveFile = `${layout.data}/compiled.tgz`
const logLines = 40

interface Tools {
  blobs: Blobstore
  compiled: CompiledIndex
  signal: AbortSignal
}

/** What a packaging script made, as bytes. */
export interface Compiled {
  archive: Buffer
  durationMs: number
}

/**
 * Compiles one package on a machine, as BOSH's agent does: source unpacked to its own directory, direct dependencies
 * only, `bash -x packaging` with exactly the four BOSH_ variables, then the install directory as an archive.
 * The archive is reproducible as far as the package is: sorted names, no times, no owners.
 *
 * Most packages are small: what one costs is how often the machine is asked and how many processes are started there.
 * So there is one call each to unpack, compile, archive and read, and one for each dependency.
 *
 * Throws `job-failed` with the last lines of the output where the script fails, `infrastructure` where the disk was full.
 */
export async function compile(connection: Connection, spec: CompileSpec, tools: Tools): Promise<Compiled> {
  const started = performance.now()
  const source = `${layout.data}/compile/${spec.name}`
  const target = `${layout.packages}/${spec.name}`
  const installed = layout.packageData(spec.name, spec.key)
  await unpack(
    connection,
    spec.source,
    'rm -rf "$1/compile" "$1/packages" "$2"; mkdir -p "$3" "$4" "$2"; ln -sfn "$4" "$5"; exec tar -xz --no-same-owner -C "$3" -f -',
    [layout.data, layout.packages, source, installed, target],
    tools,
  )
  await installDependencies(connection, spec, tools)
  await failpoint('compiler.unpacked')
  const result = await connection.exec(['/bin/bash', '-x', 'packaging'], {
    cwd: source,
    env: {
      PATH: scriptPath,
      BOSH_COMPILE_TARGET: source,
      BOSH_INSTALL_TARGET: target,
      BOSH_PACKAGE_NAME: spec.name,
      BOSH_PACKAGE_VERSION: spec.fingerprint,
    },
    signal: tools.signal,
  })
  tools.signal.throwIfAborted()
  if (result.exitCode !== 0) {
    const how = result.exitCode === null ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`
    const log = `${result.stdout}\n${result.stderr}`.trimEnd().split('\n').slice(-logLines).join('\n')
    // No fault of the package, and another machine has another disk.
    if (await isFull(connection))
      throw new RemodelError('infrastructure', `packaging of ${spec.name} ${how}: the disk of its compile VM is full`, {
        details: { log },
      })
    throw new RemodelError('job-failed', `packaging of ${spec.name} ${how}`, {
      details: { log, package: spec.name, key: spec.key },
    })
  }
  await failpoint('compiler.compiled')
  await run(
    connection,
    [
      ...['tar', '--create', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
      ...['--use-compress-program', 'gzip -n', '--file', archiveFile, '--directory', installed, '.'],
    ],
    tools.signal,
  )
  const archive = await connection.read(archiveFile)
  return { archive, durationMs: Math.round(performance.now() - started) }
}

/** Less than this free is full: whatever failed may have taken half a file away again. */
const fullBelowBytes = 2 ** 20

async function isFull(connection: Connection): Promise<boolean> {
  const { exitCode, stdout } = await connection.exec(['df', '--block-size=1', '--output=avail', layout.data])
  return exitCode === 0 && Number(stdout.trim().split('\n').at(-1)) < fullBelowBytes
}

async function installDependencies(connection: Connection, spec: CompileSpec, tools: Tools): Promise<void> {
  const found = await tools.compiled.find(spec.dependencies.map((dependency) => dependency.key))
  await Promise.all(
    spec.dependencies.map(async ({ name, key }) => {
      const compiled = found.get(key)
      if (!compiled)
        throw new RemodelError(
          'infrastructure',
          `${spec.name} needs ${name}, which is not compiled (${key.slice(0, 12)})`,
        )
      const script = 'mkdir -p "$1"; ln -sfn "$1" "$2"; exec tar -xz --no-same-owner -C "$1" -f -'
      const places = [layout.packageData(name, key), `${layout.packages}/${name}`]
      await unpack(connection, compiled.digest, script, places, tools)
    }),
  )
}

/** Runs a shell script that makes room for a blob, a tar.gz, and unpacks it from its standard input. */
async function unpack(
  connection: Connection,
  digest: string,
  script: string,
  args: readonly string[],
  { blobs, signal }: Tools,
): Promise<void> {
  await run(connection, ['/bin/sh', '-euc', script, 'sh', ...args], signal, await blobs.get(digest))
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
