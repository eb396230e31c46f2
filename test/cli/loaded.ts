import { spawn } from 'node:child_process'

interface Loaded {
  /** Files of verbs, by their paths. */
  verbs: string[]
  /** Names of npm packages. */
  packages: string[]
  /** Whether it looked at any kind. */
  kinds: boolean
}

/** What the command loads for these arguments. */
export async function loadedFor(args: readonly string[]): Promise<Loaded> {
  const script = `
    import { registerHooks } from 'node:module'
    const urls = []
    registerHooks({ load(url, context, next) { urls.push(url); return next(url, context) } })
    process.stdout.write = process.stderr.write = () => true
    const { runProgram } = await import(${JSON.stringify(new URL('../../cli/program.ts', import.meta.url).href)})
    await runProgram(${JSON.stringify(args)})
    process.send(urls)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const urls = await new Promise<string[]>((resolve) =>
    child.once('message', (message) => resolve(message as string[])),
  )
  child.disconnect()
  return {
    verbs: urls.flatMap((url) => /(?:kinds\/[^/]+\/)?cli\/verbs\/(?!index).*$/.exec(url)?.[0] ?? []),
    packages: [...new Set(urls.flatMap((url) => /node_modules\/([^/]+)/.exec(url)?.[1] ?? []))].sort(),
    kinds: urls.some((url) => url.includes('/kinds/')),
  }
}
