/** What became of one case. */
export interface Verdict {
  /** File or folder of the case, below the folder of its suite. */
  readonly file: string
  readonly name: string
  readonly verdict: 'passed' | 'failed' | 'notApplicable'
  /** Where it passed although the reference refused: `planned`. */
  readonly note?: string
  /** What was found instead, where it failed. */
  readonly found?: string
}

/** Reference cases of one origin, and how they are run. */
export interface Suite {
  /** Judges all cases below a folder; with `only`, those whose file begins with it. */
  run(folder: string, only: string): Promise<Verdict[]>
}
