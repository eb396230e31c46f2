import { ask, requireConsent } from '../consent.ts'
import { exit, type Verb } from '../verb.ts'

const deleteCloudConfig: Verb<{ name: string; yes?: boolean }> = {
  configure(command) {
    command
      .option('--name <name>', 'the one that is stored under this name', 'default')
      .option('-y, --yes', 'yes, plans made from now on do without it')
  },
  examples: [['delete-cloud-config --name hosts -y', 'deployments stay as they are']],
  async run(context, _words, { name, yes = false }) {
    const client = await context.client()
    await client.config('cloud', name)
    requireConsent(yes, context, `remodel cloud-config --name ${name}`)
    if (!yes && !(await ask(`Delete cloud config ${name}? [y/N] `))) {
      context.say('Nothing was changed.')
      return exit.failed
    }
    const gone = await client.deleteConfig('cloud', name)
    if (context.json) context.document(gone)
    else context.say(`Cloud config ${name} is deleted. Plans made from now on do without it; nothing else changes.`)
    return exit.done
  },
}

export default deleteCloudConfig
