import type { SourceDocument } from '../../shared/source/document.ts'

export function recognises({ value }: Pick<SourceDocument, 'value'>): boolean {
  return value !== null && typeof value === 'object' && Reflect.get(value, 'kind') === 'database'
}
