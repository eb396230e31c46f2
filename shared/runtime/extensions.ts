import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RemodelError, toError } from './errors.ts'

/**
 * A kind that is not part of Remodel: a module that exports `name`, `kind` (the planner's half), `steps` (the
 * assembler's half) and, where the command gets verbs by it, `verbs`, and where its reasons have phrases, `phrases`.
 * Services and the command load those that REMODEL_EXTENSIONS names, comma separated.
 */
export interface Extension {
  name: string
  kind?: unknown
  steps?: Record<string, unknown>
  verbs?: readonly unknown[]
  phrases?: unknown
}

export async function loadExtensions(env: NodeJS.ProcessEnv = process.env): Promise<Extension[]> {
  const files = (env.REMODEL_EXTENSIONS ?? '').split(',').filter(Boolean)
  return Promise.all(
    files.map(async (file) => {
      try {
        return (await import(pathToFileURL(resolve(file)).href)) as Extension
      } catch (cause) {
        throw new RemodelError('unsupported', `the extension ${file} cannot be loaded: ${toError(cause).message}`, {
          cause,
        })
      }
    }),
  )
}
