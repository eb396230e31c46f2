import { readFile } from 'node:fs/promises'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { exit, type Verb } from '../verb.ts'

const version: Verb = {
  configure() {},
  examples: [['version', 'of this command, its Node and the planner it talks to']],
  async run(context) {
    const project = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    const client = await context.client()
    const info = await client.info(3000).catch((error: unknown) => {
      // A planner that is away is an answer here, not a failure.
      if (error instanceof RemodelError) return undefined
      throw error
    })
    const { url } = client.address
    if (context.json) {
      context.document({
        remodel: project.version,
        node: process.version,
        planner: info ? { url, ...info } : { url, reachable: false },
      })
      return exit.done
    }
    context.say(`remodel ${project.version} (Node ${process.version})`)
    context.say(
      info ? `planner ${info.version} at ${url}, kinds: ${info.kinds.join(', ')}` : `planner: none answers at ${url}`,
    )
    for (const warning of info?.warnings ?? []) context.say(context.style.yellow(`warning: ${warning}`))
    return exit.done
  },
}

export default version
