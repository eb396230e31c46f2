import type { Identifier } from './operations/operations.ts'

/** `database.instance::n1-a` is `instance/n1-a`, `monitor.instance::n1-a` is `monitor/n1-a`. */
export function materialId({ type, id }: Identifier): string {
  const [family, kind] = type.split('.')
  return `${kind === undefined || family === 'monitor' ? family : kind}/${id}`
}

export const vmId = (deployment: string, host: string) => `db-${deployment}-${host}`
export const instanceId = (node: string, host: string) => `${node}-${host}`
