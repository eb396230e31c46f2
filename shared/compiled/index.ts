/** A package that was compiled: where its bytes are and what it cost. */
export interface CompiledPackage {
  key: string
  /** Blob of the compiled package: a tar.gz of its install directory. */
  digest: string
  size: number
  durationMs: number
  /** Milliseconds since the epoch. */
  compiledAt: number
}

/** Package key -> compiled package, for all deployments and releases. */
export interface CompiledIndex {
  find(keys: readonly string[]): Promise<Map<string, CompiledPackage>>
}
