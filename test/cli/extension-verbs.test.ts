import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { allVerbs, ownVerbs } from '../../cli/verbs/index.ts'
import { remodel, temporaryFolder } from './remodel.ts'

const sdk = new URL('../../cli/sdk.ts', import.meta.url).pathname
const source = `
import { exit } from '${sdk}'
const greet = {
  configure(command) { command.argument('<whom>') },
  examples: [['greet you', 'says hello']],
  async run(context, [whom]) {
    if (context.json) context.document({ hello: whom })
    else context.say('Hello, ' + whom + '.')
    return exit.done
  },
}
const another = { ...greet, run: async (context) => { context.say('not the version'); return exit.failed } }
export const name = 'greeting'
export const verbs = [
  { name: 'greet', group: 'looking', summary: 'say hello', load: async () => ({ default: greet }) },
  { name: 'version', group: 'stack', summary: 'another version', load: async () => ({ default: another }) },
]
`

test('a verb of an extension is in the help, runs, and does not take the place of one of the command', async () => {
  await using folder = await temporaryFolder()
  await writeFile(folder.in('greeting.mjs'), source)
  const run = (args: string[]) => remodel(args, { env: { REMODEL_EXTENSIONS: folder.in('greeting.mjs') } })
  expect((await run(['--help'])).stdout).toMatch(/Looking:[\s\S]*^ {2}greet +say hello[\s\S]*Running plans:/m)
  expect(await run(['greet', 'you'])).toMatchObject({ code: 0, stdout: 'Hello, you.\n' })
  expect(JSON.parse((await run(['greet', 'you', '--json'])).stdout)).toEqual({ hello: 'you' })
  expect((await run(['version', '--planner', 'http://127.0.0.1:1'])).stdout).not.toContain('not the version')
})

test('no two verbs have one name, and kinds bring some', async () => {
  const names = (await allVerbs()).map(({ name }) => name)
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
  expect(names.length).toBeGreaterThan(ownVerbs.length + 5)
})
