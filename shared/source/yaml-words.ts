import type { YAMLError } from 'yaml'

/** What is wrong with a text that is no YAML, and what to do: the parser's own sentences speak of its grammar. */
const words: Readonly<Record<YAMLError['code'], string>> = {
  ALIAS_PROPS: 'an alias (*name) can have no anchor and no tag of its own',
  BAD_ALIAS: 'the name of this anchor or alias is not one: use letters, digits, - and _',
  BAD_DIRECTIVE: 'a line that begins with % is a directive, and this one is not known: put the text in quotes',
  BAD_DQ_ESCAPE: 'there is no such escape in a text in double quotes: write \\\\ for a backslash, or use single quotes',
  BAD_INDENT: 'this line is indented otherwise than those it belongs to',
  BAD_PROP_ORDER: 'an anchor or a tag must stand right before its value',
  BAD_SCALAR_START: 'a text cannot begin with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'there is one colon too many in this line: put the text in quotes, or begin a line for the map',
  BLOCK_IN_FLOW: 'a map or list of several lines cannot be inside [ ] or { }',
  DUPLICATE_KEY: 'this key is there twice',
  IMPOSSIBLE: 'this is not YAML',
  KEY_OVER_1024_CHARS: 'this key is longer than 1,024 characters: is a quote or a line break missing?',
  MISSING_CHAR: 'a character is missing here: a quote, bracket, comma, colon or blank that should have followed',
  MULTILINE_IMPLICIT_KEY: 'a key must fit on one line: is a quote, a colon or a blank behind a colon missing?',
  MULTIPLE_ANCHORS: 'a value can have one anchor only',
  MULTIPLE_DOCS: 'there is a second document behind ---, and a file is one document',
  MULTIPLE_TAGS: 'a value can have one tag only',
  NON_STRING_KEY: 'a key must be a text',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'a tab cannot indent a line: use blanks',
  TAG_RESOLVE_FAILED: 'this tag (!name) is not known here, or does not fit its value',
  UNEXPECTED_TOKEN: 'this cannot stand here: is a quote, a bracket or a colon missing before it?',
  BAD_COLLECTION_TYPE: 'this tag does not fit a map or a list',
}

export function yamlWords(error: YAMLError): string {
  return words[error.code] ?? words.IMPOSSIBLE
}
