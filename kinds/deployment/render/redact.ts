/** Names below which a value is taken for a secret. */
const SECRET_NAME = /pass(word|phrase|wd)?|secret|token|credential|private|key|cert|salt|seed/i
/** Shorter ones occur in ordinary words; hiding them would hide nothing and spoil the sentence. */
const SHORTEST = 4
/** A text of this length without a space is a key, whatever it is called. */
const LOOKS_LIKE_KEY = /^\S{24,}$/

/**
 * Takes secrets out of a message that a template raised: it may quote any property, and it ends in plans and events.
 * A guess by names and shapes, on the side of hiding too much.
 */
export function redact(message: string, context: { properties: unknown; links: unknown }): string {
  const secrets = [...secretsOf(context.properties, false), ...secretsOf(context.links, false)]
  return secrets
    .sort((a, b) => b.length - a.length)
    .reduce((text, secret) => text.replaceAll(secret, '(hidden)'), message)
}

function secretsOf(value: unknown, named: boolean): string[] {
  if (typeof value === 'string') {
    const secret = value.trim()
    if (secret.length < SHORTEST) return []
    return named || LOOKS_LIKE_KEY.test(secret) || secret.includes('-----BEGIN') ? [value, secret] : []
  }
  if (typeof value === 'number') return named && String(value).length >= SHORTEST ? [String(value)] : []
  if (Array.isArray(value)) return value.flatMap((inner) => secretsOf(inner, named))
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, inner]) => secretsOf(inner, named || SECRET_NAME.test(key)))
}
