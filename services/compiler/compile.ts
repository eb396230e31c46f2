import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex } from '../../shared/compile/compiled.ts'
import type { CompileSpec } from '../../shared/compile/requests.ts'
import { RemodelError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { layout, scriptPath } from '../../shared/provider/layout.ts'

const archiveFile = `${layout.data}/compiled.tgz`
const logLines = 40

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
 * Throws `job-failed` with the last lines of the output where the script fails.
 */
export async function compile(
  connection: Connection,
  spec: CompileSpec,
  tools: { blobs: Blobstore; compiled: CompiledIndex; signal: AbortSignal },
): Promise<Compiled> {
  const started = performance.now()
  const source = `${layout.data}/compile/${spec.name}`
  const target = `${layout.packages}/${spec.name}`
  const installed = layout.packageData(spec.name, spec.key)
  await run(
    connection,
    'rm -rf "$1/compile" "$1/packages" "$2"; mkdir -p "$3" "$4" "$2"; ln -sfn "$4" "$5"',
    [layout.data, layout.packages, source, installed, target],
    tools.signal,
  )
  await installDependencies(connection, spec, tools)
  await connection.unpack(source, await tools.blobs.get(spec.source))
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
    throw new RemodelError('job-failed', `packaging of ${spec.name} ${how}`, {
      details: { log, package: spec.name, key: spec.key },
    })
  }
  await failpoint('compiler.compiled')
  await run(
    connection,
    'tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -C "$1" . | gzip -n > "$2"',
    [installed, archiveFile],
    tools.signal,
  )
  const archive = await connection.read(archiveFile)
  return { archive, durationMs: Math.round(performance.now() - started) }
}

async function installDependencies(
  connection: Connection,
  spec: CompileSpec,
  tools: { blobs: Blobstore; compiled: CompiledIndex },
): Promise<void> {
  const found = await tools.compiled.find(spec.dependencies.map((dependency) => dependency.key))
  for (const { name, key } of spec.dependencies) {
    const compiled = found.get(key)
    if (!compiled)
      throw new RemodelError(
        'infrastructure',
        `${spec.name} needs ${name}, which is not compiled (${key.slice(0, 12)})`,
      )
    const directory = layout.packageData(name, key)
    await connection.unpack(directory, await tools.blobs.get(compiled.digest))
    await run(connection, 'ln -sfn "$1" "$2"', [directory, `${layout.packages}/${name}`])
  }
}

async function run(
  connection: Connection,
  script: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const result = await connection.exec(
    ['/bin/bash', '-eu', '-o', 'pipefail', '-c', script, 'sh', ...args],
    signal ? { signal } : {},
  )
  if (result.exitCode !== 0) {
    throw new RemodelError(
      'infrastructure',
      `a command on the compile VM failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
      {
        details: { script, log: result.stderr },
      },
    )
  }
}
