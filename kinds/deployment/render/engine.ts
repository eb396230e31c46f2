import { openSync } from 'node:fs'
import { devNull } from 'node:os'
import { WASI } from 'node:wasi'
import { type RbValue, RubyVM } from '@ruby/wasm-wasi/dist/vm'
import { RUBY_SOURCES } from './ruby-side.ts'
import type { WasmImports, WasmModule } from './wasm.ts'

/** What went wrong in one template, as Ruby said it. `line` is the template's, absent where Ruby knew none. */
export interface RubyFault {
  type: string
  message: string
  line: number | null
  /** Line of a syntax error. */
  syntax_line: number | null
  /** Properties that were asked for, of the link `source` or of the job itself. */
  names?: string[]
  source?: string | null
  /** Link that was asked for. */
  link?: string
}

export interface EngineFile {
  /** What `__FILE__` and the lines of faults say: `<job>/<template>`. */
  file: string
  /** Base64 of the template. */
  source: string
}

/**
 * CRuby in WebAssembly, shut in: no file, no environment, no network, no standard output, no JavaScript.
 *
 * Starting takes about half a second of one core. Not for the main thread: a template may run as long as it likes.
 */
export class Engine {
  readonly #vm: RubyVM
  readonly #memory: { readonly buffer: ArrayBuffer }

  private constructor(vm: RubyVM, memory: { readonly buffer: ArrayBuffer }) {
    this.#vm = vm
    this.#memory = memory
  }

  static async start(module: WasmModule): Promise<Engine> {
    const nothing = openSync(devNull, 'r+')
    const wasi = new WASI({
      version: 'preview1',
      env: {},
      stdin: nothing,
      stdout: nothing,
      stderr: nothing,
      returnOnExit: true,
    })
    const { vm, instance } = await RubyVM.instantiateModule({
      module,
      wasip1: wasi,
      args: ['ruby.wasm', '-EUTF-8', '--disable=gems', '-e_=0'],
      addToImports: seal,
    })
    const engine = new Engine(vm, instance.exports.memory)
    for (const source of RUBY_SOURCES) engine.#eval(source)
    return engine
  }

  /** Bytes that this Ruby holds. They never become fewer. */
  get memory(): number {
    return this.#memory.buffer.byteLength
  }

  /** Without the first line Ruby takes what it is handed for bytes. */
  #eval(code: string): RbValue {
    return this.#vm.eval(`# encoding: utf-8\n${code}`)
  }

  load(id: string, files: readonly EngineFile[]): void {
    this.#eval(`Remodel.load_job(${heredoc(JSON.stringify({ id, files }))})`)
  }

  drop(id: string): void {
    this.#eval(`Remodel.drop_job(${heredoc(id)}.chomp)`)
  }

  /** The context of every `render` until the next call: JSON of a `RenderContext`. */
  setContext(json: string): void {
    this.#eval(`Remodel.context = ${heredoc(json)}nil`)
  }

  render(id: string, index: number): Buffer | RubyFault {
    const answer = this.#eval(`Remodel.render(${heredoc(id)}.chomp, ${index})`).toString()
    const body = answer.slice(1)
    if (answer[0] === 'U') return Buffer.from(body, 'utf8')
    if (answer[0] === 'B') return Buffer.from(body, 'base64')
    return JSON.parse(body) as RubyFault
  }
}

/** JSON has no raw line break, so no content can end a heredoc, and an unexpanded one needs no escaping. */
function heredoc(line: string): string {
  return `<<'REMODEL_TEXT'\n${line}\nREMODEL_TEXT\n`
}

/**
 * Closes the two ways out that the build brings: the `js` extension could run any JavaScript with the rights of the
 * planner, and `sleep` would block the thread where no deadline can end it.
 */
function seal(imports: WasmImports): void {
  const host = imports['rb-js-abi-host'] ?? {}
  for (const name of Object.keys(host)) {
    if (name.startsWith('rb_wasm_')) continue
    host[name] = () => {
      throw new Error('templates have no access to JavaScript')
    }
  }
  const ENOSYS = 52
  const wasi = imports.wasi_snapshot_preview1 ?? {}
  imports.wasi_snapshot_preview1 = { ...wasi, poll_oneoff: () => ENOSYS }
}
