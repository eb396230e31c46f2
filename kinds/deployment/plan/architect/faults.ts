import type { Fault } from '../../../../shared/runtime/errors.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { invalidInput, type Path, type SourceDocument, suggest } from '../../../../shared/source/document.ts'
import type { Place } from '../strategy.ts'

/** A part of a document that remembers where it stood. */
export interface Sourced<Value> {
  value: Value
  document: SourceDocument
  path: Path
}

/** Where a part of a document is, for faults that are only found later. */
export function placeOf({ document, path }: Pick<Sourced<unknown>, 'document' | 'path'>): Place {
  const fault = document.fault(path, '')
  return { file: fault.file ?? '', line: fault.line ?? 1, path: fault.path ?? '' }
}

const inCloudConfig = 'which the cloud config would have: `remodel cloud-config` prints it'

/** Where a name of each sort would come from, said where there is none at all. */
const firstSteps: Readonly<Record<string, string>> = {
  stemcell: 'upload one with `remodel upload-stemcell`',
  'stemcell os': 'upload one with `remodel upload-stemcell`',
  release: 'upload one with `remodel upload-release`, or give the manifest a url beside its name',
  az: inCloudConfig,
  network: inCloudConfig,
  'vm type': inCloudConfig,
  'vm extension': inCloudConfig,
  'disk type': inCloudConfig,
}

/** Collects faults, so that all of them are shown at once. */
export class Faults {
  readonly list: Fault[] = []

  add(at: { document: SourceDocument; path: Path }, below: Path, message: string, more: Partial<Fault> = {}): void {
    this.list.push(at.document.fault([...at.path, ...below], message, more))
  }

  /** A name that is none of `valid`: `unknown <what> "<name>"`, with what is allowed and the nearest one. */
  unknown(
    at: { document: SourceDocument; path: Path },
    below: Path,
    { what, name, valid }: { what: string; name: string; valid: Iterable<string> },
  ): void {
    const names = [...valid].sort()
    const none = `: there is no ${what} at all${Object.hasOwn(firstSteps, what) ? `, ${firstSteps[what]}` : ''}`
    this.add(at, below, `unknown ${what} "${name}"${names.length > 0 ? '' : none}`, {
      found: name,
      ...(names.length > 0 ? { allowed: names.join(', ') } : {}),
      ...suggest(name, names),
    })
  }

  /** Names that occur twice in a list of named things. */
  duplicates(what: string, items: readonly (Sourced<unknown> & { name: string })[]): void {
    const seen = new Set<string>()
    for (const item of items) {
      if (seen.has(item.name)) this.add(item, ['name'], `${what} "${item.name}" is there twice`, { found: item.name })
      seen.add(item.name)
    }
  }

  /** Runs a check that throws all faults of one document, and takes them over. */
  catch<Result>(check: () => Result): Result | undefined {
    try {
      return check()
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code !== 'invalid-input') throw error
      this.list.push(...error.faults)
      return undefined
    }
  }

  throwIfAny(): void {
    if (this.list.length > 0) throw invalidInput(this.list)
  }
}
