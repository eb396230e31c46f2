import { createInterface } from 'node:readline'
import { exit, readSource, type Verb } from '../../../../cli/sdk.ts'
import { RemodelError, toError } from '../../../../shared/runtime/errors.ts'

interface Options {
  batch?: boolean
}

/** pgEdge's pure functions on inputs of the user's: no planner, no Redis (docs/use/databases.md). */
const operations: Verb<Options> = {
  configure(command) {
    command
      .argument('[function]', 'UpdateDatabase, RestoreDatabase, AddNode, ...')
      .argument('[file]', 'JSON input; - or nothing reads the standard input')
      .option('--batch', 'read lines {name, function, input} from the standard input and write a line for each')
  },
  examples: [
    ['operations UpdateDatabase input.json', 'the plans that lead from one state to the other'],
    ['operations --batch < cases.ndjson', 'a line of results for each line of input'],
  ],
  async run(context, [name, file = '-'], options) {
    const { operationNames, runBatch, runOperation } = await import('../../plan/operations/command.ts')
    if (options.batch) {
      for await (const line of runBatch(createInterface({ input: process.stdin }))) process.stdout.write(`${line}\n`)
      return exit.done
    }
    if (name === undefined) {
      throw new RemodelError('invalid-input', `which function? There are ${operationNames.join(', ')}`)
    }
    const result = runOperation(name, parse(await readSource(file)))
    process.stdout.write(`${JSON.stringify(result, null, context.json ? 0 : 2)}\n`)
    return result.error === undefined ? exit.done : exit.wrongUse
  },
}

export default operations

function parse({ name, content }: { name: string; content: string }): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw new RemodelError('invalid-input', `${name} is not JSON: ${toError(error).message}`, { cause: error })
  }
}
