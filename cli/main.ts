import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// Stripped and compiled sources are kept between runs: half of the start-up time. The cache is code, so it lives in the
// user's own folder and not in a shared temporary one. Everything else is imported after it, so that it is cached too.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'remodel', 'compile'))

const { runProgram } = await import('./program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
