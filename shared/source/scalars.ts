import type { DocumentOptions, ParseOptions, ScalarTag, SchemaOptions, Tags } from 'yaml'

/**
 * What a plain scalar of YAML means, by the rules of Psych, with which BOSH's director reads (YAML 1.1): `yes` and
 * `off` are booleans, `y` and `n` are not; `0644` is octal, `1_000` and `1,000` are one thousand, `1:30` is ninety,
 * `1e3` has no point and is text. Values that a plan in JSON cannot carry stay text as they are written: dates, `.inf`,
 * `.nan`, and integers that a double would change.
 */
const scalars: readonly ScalarTag[] = [
  tag('null', /^(?:~|null|)$/i, () => null),
  tag('bool', /^(?:yes|true|on)$/i, () => true),
  tag('bool', /^(?:no|false|off)$/i, () => false),
  tag('int', /^[-+]?0b[_,]*[01][01_,]*$/, (text) => integer(text, '0b')),
  tag('int', /^[-+]?0[_,]*[0-7][0-7_,]*$/, (text) => integer(text, '0o')),
  tag('int', /^[-+]?(?:0|[1-9](?:[0-9]|[,_][0-9])*)$/, (text) => integer(text, '')),
  tag('int', /^[-+]?0x[_,]*[0-9a-fA-F][0-9a-fA-F_,]*$/, (text) => integer(text, '0x')),
  tag('int', /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$/, sexagesimal),
  tag('float', /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$/, sexagesimal),
  tag('float', /^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?$/, decimal),
]

/** How every document of a user's and of a release is read. */
export const yamlRules: ParseOptions & DocumentOptions & SchemaOptions = {
  schema: 'failsafe',
  merge: true,
  resolveKnownTags: false,
  // Equal keys are looked for elsewhere: the parser compares them pairwise.
  uniqueKeys: false,
  customTags: (collections: Tags): Tags => [...collections, ...scalars],
}

function tag(name: 'null' | 'bool' | 'int' | 'float', test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  return { tag: `tag:yaml.org,2002:${name}`, default: true, test, resolve }
}

function integer(text: string, radix: '' | '0b' | '0o' | '0x'): unknown {
  const digits = text.replaceAll(/[_,]/g, '').replace(/^[-+]/, '')
  const magnitude = Number(radix === '' ? digits : radix + digits.replace(/^0[bx]?(?=.)/, ''))
  return signed(text, magnitude)
}

function sexagesimal(text: string): unknown {
  const parts = text.replaceAll('_', '').replace(/^[-+]/, '').split(':')
  return signed(
    text,
    parts.reduce((sum, part) => sum * 60 + Number(part), 0),
  )
}

function decimal(text: string): unknown {
  const value = Number.parseFloat(text.replaceAll(/[_,]/g, ''))
  return Number.isFinite(value) ? value : text
}

function signed(text: string, magnitude: number): unknown {
  if (Number.isInteger(magnitude) && !Number.isSafeInteger(magnitude)) return text
  return text.startsWith('-') ? 0 - magnitude : magnitude
}
