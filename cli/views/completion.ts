export interface OptionWords {
  long: string
  short: string
  description: string
  takesValue: boolean
}

export interface VerbWords {
  name: string
  summary: string
  options: OptionWords[]
  /** Fixed words that an argument may be. */
  words: string[]
  takesFile: boolean
}

export interface CommandWords {
  options: OptionWords[]
  verbs: VerbWords[]
}

/** Completion scripts by shell. Options that take a value complete file names after them. */
export const shells = { bash, zsh, fish }

function bash(tree: CommandWords): string {
  const names = (options: readonly OptionWords[]) =>
    options.flatMap((option) => [option.long, option.short]).filter(Boolean)
  const cases = tree.verbs.map((verb) => {
    const words = [...verb.words, ...names(verb.options)].join(' ')
    return `    ${verb.name}) words=${quote(words)}; files=${verb.takesFile ? 1 : ''} ;;`
  })
  return `# bash completion of remodel
_remodel() {
  local current=\${COMP_WORDS[COMP_CWORD]} words='' files='' verb='' word skip=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in
      --planner|--home) skip=1 ;;
      -*) ;;
      *) verb=$word; break ;;
    esac
  done
  COMPREPLY=()
  case $verb in
    '') words=${quote([...tree.verbs.map((verb) => verb.name), 'help', ...names(tree.options)].join(' '))} ;;
    help) words=${quote(tree.verbs.map((verb) => verb.name).join(' '))} ;;
${cases.join('\n')}
  esac
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
  if [ -n "$files" ] && [ "\${current#-}" = "$current" ]; then
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  fi
}
complete -o default -F _remodel remodel`
}

function zsh(tree: CommandWords): string {
  const text = (words: string) => words.replace(/[[\]:\\]/g, '\\$&')
  const option = (one: OptionWords) => {
    const value = one.takesValue ? ':value:_files' : ''
    const names = one.short === '' ? one.long : `{${one.short},${one.long}}`
    return `${one.short === '' ? '' : names}${quote(`${one.short === '' ? one.long : ''}[${text(one.description)}]${value}`)}`
  }
  const cases = tree.verbs.map((verb) => {
    const rest =
      verb.words.length > 0 ? `'*:word:(${verb.words.join(' ')})'` : verb.takesFile ? `'*:file:_files'` : `'*:word: '`
    return `        ${verb.name}) _arguments ${[...verb.options.map(option), rest].join(' ')} ;;`
  })
  return `#compdef remodel
_remodel() {
  local state line
  local -a verbs
  verbs=(
${tree.verbs.map((verb) => `    ${quote(`${verb.name}:${text(verb.summary)}`)}`).join('\n')}
  )
  _arguments -C ${tree.options.map(option).join(' ')} '1:verb:->verb' '*::argument:->argument'
  case $state in
    verb) _describe verb verbs ;;
    argument)
      case $line[1] in
${cases.join('\n')}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _remodel ]; then _remodel "$@"; else compdef _remodel remodel; fi`
}

function fish(tree: CommandWords): string {
  const option = (condition: string) => (one: OptionWords) => {
    const short = one.short === '' ? '' : ` -s ${one.short.slice(1)}`
    const value = one.takesValue ? ' -r' : ''
    return `complete -c remodel ${condition}${short} -l ${one.long.slice(2)}${value} -d ${quote(one.description)}`
  }
  const none = `-n '__fish_use_subcommand'`
  return [
    '# fish completion of remodel',
    `complete -c remodel -f`,
    ...tree.options.map(option(none)),
    ...tree.verbs.flatMap((verb) => {
      const seen = `-n '__fish_seen_subcommand_from ${verb.name}'`
      return [
        `complete -c remodel ${none} -a ${verb.name} -d ${quote(verb.summary)}`,
        ...(verb.takesFile ? [`complete -c remodel ${seen} -F`] : []),
        ...(verb.words.length > 0 ? [`complete -c remodel ${seen} -a ${quote(verb.words.join(' '))}`] : []),
        ...verb.options.map(option(seen)),
      ]
    }),
  ].join('\n')
}

/** A word in single quotes that every shell takes literally. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
