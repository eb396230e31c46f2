import type { SourceDocument } from '../../shared/source/document.ts'

/** A manifest has instance groups; its releases and the rest may be missing, which is a fault to be named. */
export function recognises({ value }: Pick<SourceDocument, 'value'>): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && 'instance_groups' in value
}
