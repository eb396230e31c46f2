import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exit, type Verb } from '../../../../cli/sdk.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { reasonOf, systemCode } from '../../../../shared/runtime/system-error.ts'
import { authorityOf, connectionUri, type Database, findDatabase } from '../databases.ts'

const psql: Verb<{ node?: string; user?: string }> = {
  configure(command) {
    command
      .argument('<name>', 'name of the deployment of a database')
      .argument('[options...]', 'options of psql, after --')
      .usage('[options] <name> [-- <options of psql...>]')
      .option('--node <name>', 'the node to connect to; default: the first one that takes writes')
      .option('-U, --user <role>', 'role of the document (else $PGUSER, else your own name)')
  },
  examples: [
    ['psql shop -U app', 'a session with the server that takes writes; psql asks for the password'],
    ["psql shop -U app --node n2 -- -c 'SELECT count(*) FROM item'", 'one statement on another node'],
  ],
  async run(context, [name = '', ...more], { node, user }) {
    const found = await findDatabase(name, await context.client())
    const ca = authorityOf(found)
    const at = nodeOf(found, node)
    const who = user === undefined ? {} : { user }
    const uri = connectionUri(found, at, who)
    if (uri === undefined)
      throw new RemodelError('not-found', `${name} has no server yet: see \`remodel database ${name}\``)
    if (!context.json && ca !== undefined)
      return withFile(ca, (file) => runPsql(connectionUri(found, at, { ...who, ca: file }) ?? uri, more))
    if (!context.json) return runPsql(uri, more)
    context.document({ uri })
    return exit.done
  },
}

export default psql

function nodeOf({ name, nodes }: Database, wanted: string | undefined): string {
  const known = nodes.map((one) => one.node)
  if (wanted !== undefined && !known.includes(wanted))
    throw new RemodelError('not-found', `${name} has no node ${wanted}; it has ${known.join(', ') || 'none'}`)
  return wanted ?? nodes.find(({ primary }) => primary !== null)?.node ?? known[0] ?? ''
}

/** libpq reads the CA's certificate from a file. */
async function withFile<T>(text: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-psql-'))
  try {
    const file = join(folder, 'ca.pem')
    await writeFile(file, text)
    return await use(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The exit code of psql is passed through. Ctrl-C is for the statement that runs: psql hears it from the terminal
 * itself.
 */
function runPsql(uri: string, more: readonly string[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const ignore = () => {}
  process.on('SIGINT', ignore)
  const child = spawn('psql', [...more, uri], { stdio: 'inherit' })
  child.once('error', (error) => {
    const missing = systemCode(error) === 'ENOENT'
    const why = missing
      ? 'psql is not on this computer: install it (`apt-get install postgresql-client`)'
      : reasonOf(error)
    reject(new RemodelError('unsupported', `${why}; the database is at ${uri}`, { cause: error }))
  })
  child.once('close', (code) => resolve(code ?? exit.failed))
  return promise.finally(() => process.removeListener('SIGINT', ignore))
}
