import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { Place } from '../strategy.ts'

/** A fault at a place of the manifest that the architect remembered. */
export function faultAt(place: Place, message: string, more: Partial<Fault> = {}): Fault {
  return { file: place.file, line: place.line, path: place.path, message, ...more }
}
