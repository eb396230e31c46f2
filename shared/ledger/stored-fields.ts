/**
 * What one round trip stores at most: values, and characters of them. Lua hands on no more than 8,000 values at once.
 */
const storedValues = 800
const storedCharacters = 64 * 1024

type Field = [part: string, field: string, value: string | number]

export function fieldsOf(part: string, fields: Iterable<readonly [string, string | number]>): Field[] {
  return Array.from(fields, ([field, value]): Field => [part, field, value])
}

/** Fields of hashes, packed as `store.lua` takes them, in as many calls as keep each short. */
export function* inRoundTrips(fields: readonly Field[]): Generator<(string | number)[]> {
  for (let i = 0; i < fields.length; ) {
    const hashes = new Map<string, (string | number)[]>()
    for (let values = 0, characters = 0; i < fields.length && values < storedValues; i++, values += 2) {
      const [part, field, value] = fields[i]!
      characters += field.length + String(value).length
      if (values > 0 && characters > storedCharacters) break
      const hash = hashes.get(part) ?? []
      hash.push(field, value)
      hashes.set(part, hash)
    }
    yield [...hashes].flatMap(([part, values]) => [part, values.length, ...values])
  }
}
