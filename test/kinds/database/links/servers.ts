import type { Failure } from '../../../../kinds/database/postgres/links/failure.ts'
import { type Incoming, incomingOf } from '../../../../kinds/database/postgres/links/incoming.ts'
import { keepTakingIn } from '../../../../kinds/database/postgres/links/take-in.ts'
import { publication } from '../../../../kinds/database/postgres/names.ts'
import { openSession, type Session } from '../../../../kinds/database/postgres/server.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

const settings = {
  wal_level: 'logical',
  track_commit_timestamp: 'on',
  wal_retrieve_retry_interval: '100ms',
  max_connections: '20',
}

/** Two nodes of a database `postgres`, each of which reads from the other. */
export class TwoNodes {
  /** As a client has them. */
  readonly n1: Session
  readonly n2: Session
  /** As Remodel has them. */
  readonly own: ReadonlyMap<string, Session>
  readonly #servers: readonly TestServer[]

  private constructor(servers: readonly TestServer[], sessions: readonly Session[], own: readonly Session[]) {
    this.#servers = servers
    this.n1 = sessions[0]!
    this.n2 = sessions[1]!
    this.own = new Map(own.map((session, at) => [`n${at + 1}`, session]))
  }

  static async open(...statements: string[]): Promise<TwoNodes> {
    const servers = [await startPostgres(settings), await startPostgres(settings)]
    const sessions = await Promise.all(servers.map((server) => openAsClient(server.host, server.at, 'postgres')))
    const own = await Promise.all(servers.map((server) => openSession(server.host, server.at, 'postgres')))
    const nodes = new TwoNodes(servers, sessions, own)
    for (const session of sessions) {
      // Tables without a schema are not to be in that of the role.
      await session.query('CREATE SCHEMA remodel; SET search_path = public')
      await keepTakingIn(session)
      for (const statement of [...statements, `CREATE PUBLICATION ${publication} FOR ALL TABLES`]) {
        await session.query(statement)
      }
    }
    await nodes.#link(0, 'remodel_n1_n2')
    await nodes.#link(1, 'remodel_n2_n1')
    return nodes
  }

  async close(): Promise<void> {
    await Promise.all([this.n1, this.n2, ...this.own.values()].map((session) => session.close()))
    for (const server of this.#servers) server.stop()
  }

  another(node: 'n1' | 'n2'): Promise<Session> {
    const server = this.#servers[node === 'n1' ? 0 : 1]!
    return openAsClient(server.host, server.at, 'postgres')
  }

  /** Where n1 is, for its readers. */
  get members() {
    return { n1: [{ instance: 'n1-a', vm: 'n1', address: '127.0.0.1', port: this.#servers[0]!.at.port }] }
  }

  /** What n2 gets from n1. */
  async incoming(): Promise<Incoming> {
    const [found] = await incomingOf(this.n2, 'postgres', async () => this.#servers[1]!.log())
    if (!found) throw new Error('n2 has no subscription')
    return found
  }

  async failure(): Promise<Failure | null> {
    return (await this.incoming()).failure
  }

  async #link(provider: 0 | 1, name: string): Promise<void> {
    const [from, to] = provider === 0 ? [this.n1, this.n2] : [this.n2, this.n1]
    await from.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
    const { port } = this.#servers[provider]!.at
    await to.query(
      `CREATE SUBSCRIPTION ${name} CONNECTION 'host=127.0.0.1 port=${port} user=remodel dbname=postgres' PUBLICATION ${publication}
       WITH (slot_name = ${name}, create_slot = false, copy_data = false, origin = none, streaming = off)`,
    )
  }
}
