import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { followLogs, type InstanceLogs, instancesMeant, lastLines } from '../logs.ts'
import { exit, type Verb } from '../verb.ts'
import { plain } from '../views/style.ts'

const logs: Verb<{ lines: number; follow?: boolean }> = {
  configure(command) {
    command
      .argument('<deployment>')
      .argument(
        '[instance]',
        'an instance as `remodel instances` names it, web/0 or n1-a; web or n1: all of that group or node; default: all',
      )
      .option('--lines <n>', 'number of lines from the end of each file', wholeNumber(1), 40)
      .option('-f, --follow', 'go on showing new lines, until Ctrl-C')
  },
  examples: [
    ['logs web web/0', 'the last 40 lines of each log of web/0'],
    ['logs web web/0 --lines 500', 'more of them'],
    ['logs shop n1 --follow', 'what the servers of a node write, as they write it'],
  ],
  async run(context, [deployment = '', name], { lines, follow = false }) {
    const client = await context.client()
    const instances = await instancesMeant(client, deployment, name)
    const silent = (instance: string, error: Error | null) =>
      context.remark(error ? `${instance} does not answer: ${error.message}` : `${instance} answers again`)
    const first = await lastLines(client, deployment, { instances, lines }, silent)
    if (!follow) return shown(first, { instances, context })
    const show = following(context)
    for (const one of first) show(one)
    const left = new AbortController()
    process.once('SIGINT', () => left.abort())
    for await (const one of followLogs(client, deployment, { instances, from: first }, { left: left.signal, silent }))
      show(one)
    return exit.done
  },
}

export default logs

function shown(
  found: readonly InstanceLogs[],
  { instances, context }: { instances: readonly string[]; context: Context },
): number {
  const code = found.length === instances.length ? exit.done : exit.failed
  if (context.json) {
    const documents = found.map(({ instance, files }) => ({ instance, files }))
    context.document(instances.length === 1 ? { files: documents[0]!.files } : documents)
    return code
  }
  let blank = false
  for (const { instance, files } of found) {
    if (files.length === 0) context.say(`${instance} has written no logs.`)
    for (const { path, content } of files) {
      const of = instances.length === 1 ? path : `${instance} ${path}`
      context.say(`${blank ? '\n' : ''}${context.style.bold(`==> ${of} <==`)}`)
      context.raw(plain(content.replace(/\n$/, '')))
      blank = true
    }
  }
  return code
}

/** A heading comes where another file goes on than the one before; for machines each piece is a line. */
function following(context: Context): (one: InstanceLogs) => void {
  let last = ''
  return ({ instance, files }) => {
    for (const { path, content } of files) {
      if (context.json) context.line({ instance, path, content })
      const heading = `==> ${instance} ${path} <==`
      if (heading !== last) context.say(`${last === '' ? '' : '\n'}${context.style.bold(heading)}`)
      last = heading
      context.raw(plain(content.replace(/\n$/, '')))
    }
  }
}
