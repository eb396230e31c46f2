/** A compiled WebAssembly module: passed on, never looked into. The project's library types leave the real ones out. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module'
}

/** What a module imports: by module name, then by name. */
export type WasmImports = Record<string, Record<string, unknown>>

const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(bytes: Uint8Array): Promise<WasmModule> } }

/** Off the main thread; threads that are given the same module share its machine code. */
export function compileWasm(bytes: Uint8Array): Promise<WasmModule> {
  return WebAssembly.compile(bytes)
}
