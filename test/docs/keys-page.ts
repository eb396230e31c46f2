import { z } from 'zod'
import { Document } from '../../kinds/database/plan/schema.ts'
import { CloudConfig } from '../../kinds/deployment/plan/schema/cloud-config.ts'
import { Manifest } from '../../kinds/deployment/plan/schema/manifest.ts'

const head = `# Every key of the documents

Written from the schemas: \`vitest run test/docs --update\` writes this page again. An unknown key is a fault with its line. What the
keys of BOSH mean is on [its own pages](https://bosh.io/docs/manifest-v2/); [for users of BOSH](bosh-users.md) says which of them
are accepted and not acted on, and [the deployment kind](deployment-kind.md) how a manifest becomes a plan.
`

/** The part of a JSON schema that the page needs. */
interface Schema {
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  anyOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  additionalProperties?: Schema | boolean
}

/** The page of all keys of manifest, cloud config and database document. */
export function keysPage(): string {
  const part = (title: string, schema: z.ZodType) => {
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Schema
    const rows = keys(json, '').map(({ path, type, unset }) => `| \`${path}\` | ${cell(type)} | ${cell(unset)} |`)
    return `## ${title}\n\n| key | type | not given |\n|---|---|---|\n${rows.join('\n')}\n`
  }
  return [
    head,
    part('Manifest', Manifest),
    part('Cloud config', CloudConfig),
    `${part('Database', Document)}\nWhat these mean: [the kind \`database\`](database-kind.md).\n`,
  ].join('\n')
}

interface Key {
  path: string
  type: string
  unset: string
}

function keys(schema: Schema, above: string): Key[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = above === '' ? name : `${above}.${name}`
    const needed = schema.required?.includes(name) ?? false
    const unset = child.default === undefined ? (needed ? 'a fault' : '') : `\`${JSON.stringify(child.default)}\``
    return [{ path, type: typeOf(child), unset }, ...below(child, path)]
  })
}

/** Keys of objects in it, in whatever it is wrapped. */
function below(schema: Schema, path: string): Key[] {
  if (schema.properties) return keys(schema, path)
  if (schema.items) return below(schema.items, `${path}[]`)
  if (schema.anyOf) return schema.anyOf.flatMap((one) => below(one, path))
  return typeof schema.additionalProperties === 'object' ? below(schema.additionalProperties, `${path}.*`) : []
}

function typeOf(schema: Schema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.items) return `list of ${typeOf(schema.items)}`
  return [schema.type ?? 'any'].flat().join(' or ')
}

const cell = (text: string) => text.replaceAll('|', '\\|')
