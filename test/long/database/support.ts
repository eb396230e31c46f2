import pg from 'pg'
import { expect, vi } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { addressOf, documentOf, passwordOf, type Wish } from '../../kinds/database/document.ts'
import { settled, type TestStack } from '../../support/services.ts'

export { addressOf, documentOf, passwordOf, tables, type Wish } from '../../kinds/database/document.ts'

export async function deploy(
  client: Client,
  wish: Wish,
  timeoutMs = 60_000,
  options: { acceptLoss?: boolean } = {},
): Promise<string> {
  const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(wish) }, options })
  return carryOut(client, plan.id, timeoutMs)
}

export async function remove(client: Client, name = 'shop'): Promise<string> {
  const { plan } = await client.planRemoval(name)
  return carryOut(client, plan.id, 60_000)
}

/** Applies a plan and waits for its end; one that does not end well fails the test with what happened last. */
export async function carryOut(client: Client, plan: string, timeoutMs: number): Promise<string> {
  await client.apply(plan, {})
  const ended = await settled(client, plan, timeoutMs).catch((error: Error) => error.message)
  if (ended === 'done') return plan
  const { status } = await client.planView(plan)
  const events = (await client.events(status.deployment, { plan })).slice(-12)
  throw new Error([ended, JSON.stringify(status.errors), ...events.map((event) => JSON.stringify(event))].join('\n'))
}

/** As libpq does without options: by TLS where the server has it, whatever certificate that shows, else without. */
async function preferring(config: pg.ClientConfig): Promise<pg.Client> {
  const [encrypted, plain] = [{ ssl: { rejectUnauthorized: false } }, {}].map((more) => {
    const client = new pg.Client({ ...config, ...more })
    client.on('error', () => {})
    return client
  })
  try {
    await encrypted!.connect()
    return encrypted!
  } catch {
    await encrypted!.end().catch(() => {})
    await plain!.connect()
    return plain!
  }
}

/** The host that takes writes, as any client of the database finds it. */
export async function connect(net: number, hosts: string, user = 'app'): Promise<pg.Client> {
  let last: unknown
  for (const letter of hosts) {
    const password = passwordOf(user)
    const to = { host: addressOf(net, letter), port: 5432, database: 'shop', user, password }
    let client: pg.Client | undefined
    try {
      client = await preferring({ ...to, connectionTimeoutMillis: 2000 })
      const { rows } = await client.query('SELECT pg_is_in_recovery() AS recovering')
      if (!rows[0].recovering) return client
      await client.end()
    } catch (error) {
      last = error
      await client?.end().catch(() => {})
    }
  }
  throw new Error(`none of ${hosts} takes writes`, { cause: last })
}

export async function ask(net: number, hosts: string, sql: string, user = 'tester'): Promise<unknown[][]> {
  const client = await connect(net, hosts, user)
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows
  } finally {
    await client.end()
  }
}

/** Asks one server, whatever its role. */
export async function askServer(net: number, letter: string, sql: string): Promise<unknown[][]> {
  const user = 'tester'
  const password = passwordOf(user)
  const client = await preferring({ host: addressOf(net, letter), port: 5432, database: 'shop', user, password })
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

/** Machines and disks that stand. */
export async function actual(stack: Pick<TestStack, 'provider'>): Promise<string[]> {
  const [vms, disks] = await Promise.all([stack.provider.listVms(), stack.provider.listDisks()])
  return [...vms, ...disks].map(({ id }) => id).sort()
}

/** All acknowledged rows are on every node, each once, and all nodes have the same rows. */
export async function expectWhole(
  net: number,
  nodes: readonly string[],
  acknowledged: readonly string[],
): Promise<void> {
  const read = async (hosts: string) =>
    (await ask(net, hosts, 'SELECT id FROM entry ORDER BY id')).map(([id]) => String(id))
  /** What some nodes lack of what others have, a few of them. */
  const lacking = async () => {
    const lists = await Promise.all(nodes.map(read))
    const all = [...new Set(lists.flat())]
    return Object.fromEntries(
      nodes.map((hosts, index) => {
        const known = new Set(lists[index])
        const missing = all.filter((id) => !known.has(id))
        return [hosts, [...missing.slice(0, 5), ...(missing.length > 5 ? [`${missing.length} in all`] : [])]]
      }),
    )
  }
  const nothing = Object.fromEntries(nodes.map((hosts) => [hosts, []]))
  // Not `expect.poll`: that knows of one test at a time only.
  await vi.waitFor(async () => expect(await lacking()).toEqual(nothing), { timeout: 20_000, interval: 100 })
  for (const hosts of nodes) {
    const ids = await read(hosts)
    expect(new Set(ids).size, 'no row twice').toBe(ids.length)
    const known = new Set(ids)
    expect(
      acknowledged.filter((id) => !known.has(id)),
      `lost on ${hosts}`,
    ).toEqual([])
  }
}
