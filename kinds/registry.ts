import { Name } from '../shared/model/names.ts'
import type { Ownership } from '../shared/provider/provider.ts'
import { type Fault, RemodelError } from '../shared/runtime/errors.ts'
import { loadExtensions } from '../shared/runtime/extensions.ts'
import { invalidInput, type SourceDocument } from '../shared/source/document.ts'
import { builtIn } from './built-in.ts'
import type { Kind, KindTools } from './contract/kind.ts'

const kinds = Object.values(builtIn)

/** All kinds a planner knows, its own first, then those of extensions. */
export class KindRegistry {
  readonly #kinds: readonly Kind[]

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds
  }

  /** The caller closes it. */
  static async open(tools: KindTools): Promise<KindRegistry> {
    const own = await Promise.all(kinds.map(async (load) => (await load()).default.open(tools)))
    return new KindRegistry([...(await kindsOfExtensions()), ...own])
  }

  /**
   * Opens the kind of one document alone, so nothing of the others is loaded. The caller closes it. Throws
   * `invalid-input` as `recognise`.
   */
  static async openFor(document: SourceDocument, tools: KindTools): Promise<KindRegistry> {
    const extensions = await kindsOfExtensions()
    const extension = extensions.find((kind) => kind.recognises(document))
    if (extension) return new KindRegistry([extension])
    const own = (await Promise.all(kinds.map((load) => load()))).find((kind) => kind.default.recognises(document))
    if (own) return new KindRegistry([await own.default.open(tools)])
    throw noSuchKind(document, [...extensions.map(({ name }) => name), ...Object.keys(builtIn)])
  }

  async close(): Promise<void> {
    await Promise.all(this.#kinds.map((kind) => kind.close?.()))
  }

  get all(): readonly Kind[] {
    return this.#kinds
  }

  get names(): string[] {
    return this.#kinds.map((kind) => kind.name)
  }

  find(name: string): Kind | undefined {
    return this.#kinds.find((candidate) => candidate.name === name)
  }

  /** Throws `not-found`. */
  get(name: string): Kind {
    const kind = this.find(name)
    if (!kind)
      throw new RemodelError('not-found', `this planner knows no kind ${name}; it knows ${this.names.join(', ')}`)
    return kind
  }

  /** What any kind has against cloud configs, whatever document may come. */
  checkClouds(documents: readonly SourceDocument[]): Fault[] {
    return this.#kinds.flatMap((kind) => kind.checkClouds?.(documents) ?? [])
  }

  /** The kind that made these machines and disks, as far as one of them says so. */
  ofWhatStands(found: readonly Ownership[]): Kind | undefined {
    return this.#kinds.find((candidate) => found.some((ownership) => candidate.made?.(ownership)))
  }

  /** The kind of a document; throws `invalid-input` where none recognises it. */
  recognise(document: SourceDocument): Kind {
    const kind = this.#kinds.find((candidate) => candidate.recognises(document))
    if (kind) return kind
    throw noSuchKind(document, this.names)
  }
}

async function kindsOfExtensions(): Promise<Kind[]> {
  return (await loadExtensions()).flatMap((extension) => (extension.kind ? [extension.kind as Kind] : []))
}

function noSuchKind(document: SourceDocument, names: readonly string[]): RemodelError {
  return invalidInput([document.fault([], 'no kind of deployment is written like this', { allowed: names.join(', ') })])
}

/**
 * The deployment that a document is of. Throws `invalid-input` where its name is no name: this holds for every kind.
 */
export function deploymentOf(kind: Kind, document: SourceDocument): string {
  const name = kind.deploymentName(document)
  const checked = Name.safeParse(name)
  if (checked.success) return name
  throw invalidInput([document.fault(['name'], checked.error.issues[0]!.message, { found: JSON.stringify(name) })])
}
