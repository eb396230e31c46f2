import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uploadRelease } from '../../cli/upload.ts'
import { startServices } from '../../test/support/services.ts'
import { cloudConfig, manifestOf, oneRelease, writeReleases } from '../compile/graph.ts'
import { atMost, type Figure, percentile } from '../figure.ts'
import { over } from '../over.ts'

const kills = 4

/**
 * kill -9 of the compiler that works on a package: until another one has begun it again. The last attempt is left alone
 * and finishes; what was compiled before is not compiled again.
 */
export async function takeOverFigures(bench: string): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  const stack = await startServices({ planner: 1, compiler: 2, assembler: 1 }, { REMODEL_CONCURRENCY: '1' })
  try {
    const client = stack.client()
    await client.addStemcell({ name: 'local', os: 'local', version: '1' })
    const values: number[] = []
    for (let i = 0; i < kills; i++) {
      const name = `kill${i}`
      const graph = oneRelease(name, { slow: { deps: [], seconds: 1, content: name } })
      for (const path of await writeReleases(folder, graph)) await uploadRelease(path, client)
      const { plan } = await client.plan({
        manifest: { name: 'kill.yml', content: manifestOf(name, graph) },
        cloudConfigs: [{ name: 'cloud.yml', content: cloudConfig(1, 95 + i) }],
      })
      await client.apply(plan.id, {})
      const begun = async (attempt: number) => {
        for (;;) {
          const events = await client.events(name, { plan: plan.id })
          const found = events.find(
            (one) => one.type === 'remodel.started' && one.remodel?.startsWith('compile') && one.attempt === attempt,
          )
          if (found) return found
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }
      const first = await begun(1)
      const victim = stack.services.find(({ log }) => log.join().includes(first.worker ?? ''))!
      const killed = Date.now()
      await victim.kill('SIGKILL')
      values.push(new Date((await begun(2)).at).getTime() - killed)
      await Promise.all([over(client, name, plan.id), stack.start('compiler')])
    }
    const against = 'BullMQ default 60 s; BOSH 230 s and the work lost'
    return [
      atMost(
        {
          bench,
          case: `worker killed, taken over, p95 of ${kills}`,
          value: percentile(values, 95) / 1000,
          unit: 's',
          against,
        },
        5,
      ),
    ]
  } finally {
    await stack.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
