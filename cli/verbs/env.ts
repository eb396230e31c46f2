import { redisSettings } from '../../shared/runtime/redis.ts'
import { exit, type Verb } from '../verb.ts'

/** The one place where the password of Redis is printed: asked for, for a shell that takes it in. */
const env: Verb = {
  configure() {},
  examples: [['env', 'eval "$(remodel env)" sets REMODEL_HOME and REDIS_URL (with its password) in your shell']],
  async run(context) {
    const variables = {
      REMODEL_HOME: context.home,
      REDIS_URL: redisSettings({ ...process.env, REMODEL_HOME: context.home }).url,
    }
    if (context.json) context.document(variables)
    else for (const [name, value] of Object.entries(variables)) context.raw(`export ${name}=${quoted(value)}`)
    return exit.done
  },
}

export default env

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
