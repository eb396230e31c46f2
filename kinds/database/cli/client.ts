import type { Context } from '../../../cli/sdk.ts'
import type { DatabaseClient } from '../api/client.ts'

/** Loaded when a verb asks, as the command's own client is: the help of a verb needs none. */
export async function clientOf(context: Pick<Context, 'client'>): Promise<DatabaseClient> {
  const [{ DatabaseClient }, client] = await Promise.all([import('../api/client.ts'), context.client()])
  return new DatabaseClient(client)
}
