import type { ProcessDefinition } from '../provider/connection.ts'

/** Something in a monit file that has no effect here. */
export interface MonitNote {
  /** 1-based. */
  line: number
  message: string
}

/** Whom a program runs as, where that is not root. */
export interface RunAs {
  uid?: string
  gid?: string
}

export interface MonitProcess extends ProcessDefinition {
  /**
   * Of a `check file` with a start program: what counts as running is that this file is there.
   * `pidfile` is then of our own.
   */
  file?: string
  startAs?: RunAs
  stopAs?: RunAs
}

export interface MonitFile {
  processes: MonitProcess[]
  /** Understood, and without effect here: a process found by `matching`, a stop timeout. */
  warnings: MonitNote[]
  /** Statements that are not understood and are left out, as they stand in the file. */
  unknown: MonitNote[]
}

/** What was found of one process so far. */
interface Found {
  pidfile?: string
  file?: string
  start?: string
  stop?: string
  startTimeoutSeconds?: number
  startAs?: RunAs
  stopAs?: RunAs
  matching?: boolean
}

interface Token {
  text: string
  quoted: boolean
  line: number
}

/** Words that monit allows anywhere and that mean nothing. */
const NOISE = new Set(['with', 'and', 'using', 'use', 'the', 'has', '='])
/** Words that begin a statement, so that one that is left out ends before them. */
const STATEMENTS =
  'check start stop restart group if depends every mode onreboot set include alert noalert with pidfile matching'.split(
    ' ',
  )
/** Names the keeper of a file, which a machine has beside its processes. */
const keeperOf = (name: string) => `/var/vcap/monit/${name}.file.pid`
/** Words that may begin a line within a check, beside those; what else begins one is no statement of monit. */
const WITHIN = new Set(
  'then else and or for but not as uid gid timeout on has program depend alias failed succeeded changed using exec pid ppid uptime'.split(
    ' ',
  ),
)
/** What monit can check, beside processes. */
const CHECKS = 'file fifo filesystem device directory host remote system program network'.split(' ')
const SECONDS: Record<string, number> = { second: 1, seconds: 1, minute: 60, minutes: 60, hour: 3600, hours: 3600 }

/**
 * Reads the `check process` parts of a monit file, already rendered:
 *
 *     check process NAME with pidfile PATH
 *       start program "..." [with timeout N seconds]
 *       stop program "..." [with timeout N seconds]
 *       group vcap
 *
 * A `check file NAME with path PATH` that has a start program is one of them, as monit starts it where
 * the file is not there.
 *
 * Never fails: what else monit files may hold is listed, so that users learn that it has no effect. A statement ends
 * with its line or where the next one begins.
 */
export function parseMonit(text: string): MonitFile {
  return new MonitReader(text).read()
}

/**
 * Whether a file of a job, by its path in the job's directory, is one that monit reads: `monit`, and
 * any `*.monit` beside it.
 */
export function isMonitFile(path: string): boolean {
  return path === 'monit' || /^[^/]+\.monit$/.test(path)
}

/**
 * What keeps a monit file from being carried out: a process that would not be supervised, another file whose
 * processes would not be, a program that is `absent`, text that is no statement of monit. A statement of monit
 * without effect here is no fault.
 */
export function monitFaults(text: string, absent: (path: string) => boolean = () => false): MonitNote[] {
  const reader = new MonitReader(text, absent)
  reader.read()
  return reader.faults
}

class MonitReader {
  readonly faults: MonitNote[] = []
  readonly #tokens: Token[]
  readonly #absent: (path: string) => boolean
  readonly #file: MonitFile = { processes: [], warnings: [], unknown: [] }
  #at = 0

  constructor(text: string, absent: (path: string) => boolean = () => false) {
    this.#tokens = tokenize(text)
    this.#absent = absent
  }

  read(): MonitFile {
    while (this.#peek()) {
      if (this.#isWord('check') && this.#isWord('process', 1)) this.#process()
      else if (this.#isStartedFile()) this.#process()
      else {
        this.#judge()
        this.#skip(this.#isWord('check') ? ['check'] : STATEMENTS)
      }
    }
    return this.#file
  }

  /** Outside of processes: something else that monit checks, or a setting. */
  #judge(): void {
    const [first, second] = [this.#peek()!, this.#peek(1)]
    const words = [first, ...(second?.line === first.line ? [second] : [])].map(({ text }) => text).join(' ')
    if (this.#isWord('include')) {
      const message = `"${words.slice(0, 60)}" is not followed: its processes belong into a *.monit file beside this one`
      this.faults.push({ line: first.line, message })
      return
    }
    const known = this.#isWord('check') ? CHECKS.some((word) => this.#isWord(word, 1)) : this.#isWord('set')
    if (!known) this.faults.push({ line: first.line, message: `"${words.slice(0, 60)}" is no statement of monit` })
  }

  /** Within a check: a line that begins with a word that monit does not know there. */
  #judgeWithin(): void {
    const first = this.#peek()!
    const begins = this.#tokens[this.#at - 1]?.line !== first.line
    const word = first.text.toLowerCase()
    if (!begins || first.quoted || STATEMENTS.includes(word) || WITHIN.has(word)) return
    this.faults.push({ line: first.line, message: `"${first.text.slice(0, 60)}" is no statement of monit` })
  }

  /** A file whose check, up to the next one, has a start program. */
  #isStartedFile(): boolean {
    if (!this.#isWord('check') || !this.#isWord('file', 1)) return false
    for (let ahead = 2; this.#peek(ahead) && !this.#isWord('check', ahead); ahead++) {
      if (this.#isWord('start', ahead)) return true
    }
    return false
  }

  #process(): void {
    const { line } = this.#peek()!
    const isFile = this.#isWord('file', 1)
    this.#at += 2
    const name = ['with', 'pidfile', 'matching'].some((word) => this.#isWord(word)) ? '' : (this.#next()?.text ?? '')
    const found: Found = {}
    for (let token = this.#peek(); token && !this.#isWord('check') && !this.#isWord('include'); token = this.#peek()) {
      if (!token.quoted && NOISE.has(token.text.toLowerCase())) this.#at++
      else if (isFile && this.#isWord('path')) {
        found.file = this.#value(1)
        found.pidfile = keeperOf(name)
      } else if (!isFile && this.#isWord('pidfile')) found.pidfile = this.#value(1)
      else if (this.#isWord('matching')) {
        this.#value(1)
        found.matching = true
      } else if (this.#isWord('group')) this.#value(1)
      else if (this.#isWord('start') || this.#isWord('stop')) this.#program(found)
      else {
        this.#judgeWithin()
        this.#skip()
      }
    }
    this.#add(name, line, found)
  }

  #program(found: Found): void {
    const which = this.#next()!.text.toLowerCase() as 'start' | 'stop'
    const { line } = this.#tokens[this.#at - 1]!
    this.#noise()
    if (this.#isWord('program')) this.#at++
    found[which] = this.#value(0)
    const [path = ''] = found[which].trim().split(/\s/)
    if (this.#absent(path)) this.faults.push({ line, message: `the ${which} program ${path} is no file of the job` })
    for (;;) {
      const before = this.#at
      this.#noise()
      const words = [0, 1, 2].map((ahead) => this.#peek(ahead))
      const seconds = Number(words[1]?.text) * (SECONDS[words[2]?.text.toLowerCase() ?? ''] ?? Number.NaN)
      if (this.#isWord('timeout') && seconds > 0) {
        this.#at += 3
        if (which === 'start') found.startTimeoutSeconds = seconds
        else this.#file.warnings.push({ line, message: `the stop timeout of ${seconds} s has no effect` })
      } else if (this.#isWord('as')) {
        found[`${which}As`] = this.#runAs()
      } else {
        this.#at = before
        return
      }
    }
  }

  /** `as uid NAME and gid NAME` */
  #runAs(): RunAs {
    const as: RunAs = {}
    this.#at++
    for (this.#noise(); this.#isWord('uid') || this.#isWord('gid'); this.#noise()) {
      const word = this.#next()!.text.toLowerCase() as keyof RunAs
      as[word] = this.#value(0)
    }
    return as
  }

  #add(
    name: string,
    line: number,
    { pidfile, file, start, stop = '', startTimeoutSeconds, startAs, stopAs, matching }: Found,
  ): void {
    const warn = (message: string) => this.#file.warnings.push({ line, message })
    if (matching) warn(`process ${name}: matching has no effect, a process is found by its pidfile`)
    const leftOut = (why: string) => {
      warn(`process ${name} is left out: ${why}`)
      this.faults.push({ line, message: `process ${name || 'without a name'} would not be supervised: ${why}` })
    }
    if (!isName(name)) leftOut('a name is needed, of at most 100 characters and without a slash')
    else if (!pidfile) leftOut('it has no pidfile, and no path of a file')
    else if (!(file ?? pidfile).startsWith('/')) leftOut(`"${file ?? pidfile}" is no absolute path`)
    else if (!start) leftOut('it has no start program')
    else {
      if (stop === '') warn(`process ${name} has no stop program; it will be killed`)
      this.#file.processes.push({
        name,
        pidfile,
        start,
        stop,
        ...(file === undefined ? {} : { file }),
        ...(startTimeoutSeconds === undefined ? {} : { startTimeoutSeconds }),
        ...(startAs === undefined ? {} : { startAs }),
        ...(stopAs === undefined ? {} : { stopAs }),
      })
    }
  }

  /** Takes the value `ahead` tokens on, noise words left out; empty where a statement begins instead. */
  #value(ahead: number): string {
    this.#at += ahead
    this.#noise()
    return this.#isKeyword() ? '' : (this.#next()?.text ?? '')
  }

  /** A word of monit's own, which is no name and no value. */
  #isKeyword(): boolean {
    const token = this.#peek()
    const word = token?.text.toLowerCase() ?? ''
    return token !== undefined && !token.quoted && (NOISE.has(word) || STATEMENTS.includes(word))
  }

  #noise(): void {
    for (let token = this.#peek(); token && !token.quoted && NOISE.has(token.text.toLowerCase()); token = this.#peek())
      this.#at++
  }

  /** Leaves a statement out: to the end of its line, and further lines until one begins with a word of `until`. */
  #skip(until: readonly string[] = STATEMENTS): void {
    const first = this.#peek()!
    const taken: Token[] = []
    let line = first.line
    for (let token = this.#peek(); token; token = this.#peek()) {
      if (token.line !== line && until.some((word) => this.#isWord(word))) break
      line = token.line
      taken.push(token)
      this.#at++
    }
    const words = taken.map((token) => (token.quoted ? `"${token.text}"` : token.text)).join(' ')
    this.#file.unknown.push({ line: first.line, message: words.length > 200 ? `${words.slice(0, 197)}...` : words })
  }

  #peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead]
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at++]
  }

  #isWord(word: string, ahead = 0): boolean {
    const token = this.#peek(ahead)
    return token !== undefined && !token.quoted && token.text.toLowerCase() === word
  }
}

/** It is part of a file's name on the machine. */
function isName(name: string): boolean {
  return name !== '' && name.length <= 100 && !/[/\p{Cc}]/u.test(name)
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  for (const [match] of text.matchAll(/\n|#[^\n]*|"[^"]*"|'[^']*'|=|[^\s"'=#][^\s"'=]*|["']/g)) {
    if (match === '\n') line++
    else if (!match.startsWith('#')) {
      const quoted = match.length > 1 && (match.startsWith('"') || match.startsWith("'"))
      tokens.push({ text: quoted ? match.slice(1, -1) : match, quoted, line })
      line += match.split('\n').length - 1
    }
  }
  return tokens
}
