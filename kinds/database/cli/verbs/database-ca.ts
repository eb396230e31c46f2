import { exit, type Verb } from '../../../../cli/sdk.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { authorityOf, findDatabase } from '../databases.ts'

const databaseCa: Verb = {
  configure(command) {
    command.argument('<name>', 'name of its deployment')
  },
  examples: [
    [
      'database-ca shop > shop-ca.pem',
      'the certificate by which clients check the servers; it is no secret: sslmode=verify-full sslrootcert=shop-ca.pem',
    ],
  ],
  async run(context, [name = '']) {
    const certificate = authorityOf(await findDatabase(name, await context.client()))
    if (certificate === undefined) {
      const next = 'write `tls: { mode: on }` into its document and deploy that'
      throw new RemodelError('not-found', `the servers of ${name} take no TLS: ${next}`)
    }
    if (context.json) context.document({ name, certificate })
    else for (const line of certificate.trimEnd().split('\n')) context.say(line)
    return exit.done
  },
}

export default databaseCa
