import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** The build of the interpreter. */
export const RUBY_BUILD: string = createRequire(import.meta.url).resolve('@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm')

/** The Ruby side, in the order in which it is loaded. */
export const RUBY_SOURCES: readonly string[] = ['libraries.rb', 'struct.rb', 'context.rb', 'dns.rb', 'render.rb'].map(
  (name) => readFileSync(new URL(`./ruby/${name}`, import.meta.url), 'utf8'),
)

/** Whatever may change what a template renders to changes this: the interpreter, and every text of ours around it. */
export const RUBY_SIDE: string = createHash('sha256')
  .update([versionOfBuild(), ...RUBY_SOURCES].join('\0'))
  .digest('hex')

function versionOfBuild(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', `file://${RUBY_BUILD}`), 'utf8'))
  return (manifest as { version: string }).version
}
