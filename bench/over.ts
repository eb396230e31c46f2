import type { Client } from '../shared/api/client.ts'

/** Waits for the end of a plan on the live stream: asking again and again would be part of what is measured. */
export async function over(client: Client, deployment: string, plan: string): Promise<void> {
  const stream = new AbortController()
  try {
    for await (const event of client.stream(deployment, { plan }, stream.signal)) {
      if (event.type === 'plan.done') return
      if (event.type === 'plan.failed' || event.type === 'plan.cancelled') {
        const { status } = await client.planView(plan)
        throw new Error(`plan ${plan} of ${deployment}: ${event.type} ${JSON.stringify(status.errors)}`)
      }
    }
  } finally {
    stream.abort()
  }
}
