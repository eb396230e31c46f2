import type { z } from 'zod'
import type { Instance } from '../../shared/api/schemas/instance.ts'
import type { UsedRelease } from '../../shared/api/schemas/release.ts'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex } from '../../shared/compilation/compiled.ts'
import type { Durations } from '../../shared/compilation/durations.ts'
import type { Loss } from '../../shared/model/healing.ts'
import type { ActualMaterial, Blueprint, Floorplan } from '../../shared/model/material.ts'
import type { Look, Observation } from '../../shared/model/observation.ts'
import type { Remodel } from '../../shared/model/plan.ts'
import type { Reservation, ReservedNames, Space } from '../../shared/model/reservation.ts'
import type { Deviation } from '../../shared/model/verdict.ts'
import type { Ownership, Provider } from '../../shared/provider/provider.ts'
import type { Release, Stemcell } from '../../shared/release/release.ts'
import { type Fault, RemodelError } from '../../shared/runtime/errors.ts'
import type { Secrets } from '../../shared/runtime/secrets.ts'
import type { SourceDocument } from '../../shared/source/document.ts'
import type { PlanDraft } from './draft.ts'
import type { Readable } from './readable.ts'
import type { RouteParts, Routes } from './routes.ts'
import type { Stores } from './stores.ts'

/** A release that was uploaded, without what it holds. */
export interface ReleaseId {
  name: string
  version: string
}

/** What the operator uploaded, as the architect may see it. Values, not handles: nothing here does I/O. */
export interface CatalogView {
  /** Those that the kind has chosen, see `Kind.chooses`. */
  releases: readonly Release[]
  /** Name and version of every release that was uploaded; absent where `releases` are all there are: offline. */
  releaseIds?: readonly ReleaseId[]
  /** Release name -> the version that was uploaded for this plan: what `version: create` means. */
  created: Readonly<Record<string, string>>
  stemcells: readonly Stemcell[]
  /** Cloud and runtime configs, by type. */
  configs: { readonly cloud: readonly SourceDocument[]; readonly runtime: readonly SourceDocument[] }
  /**
   * What `Kind.keep` answered: digests of what the document says and no plan may. Absent where
   * nothing is kept: offline.
   */
  kept?: Readonly<Record<string, string>>
}

/** What the operator asked for beside the manifest, valid for one plan. */
export interface PlanOptions<Own = unknown> {
  /** Make every VM anew. */
  recreate: boolean
  /** Take the whole deployment away. */
  remove: boolean
  skipDrain: boolean
  /** What is asked for was there before, and ended well: nothing has to be tried first. */
  proven?: boolean
  /**
   * It is a repair of these materials: a machine of theirs that does not answer is made anew, though nothing about it
   * changes. A kind that mends each apart (`Kind.mendsEach`) touches nothing else.
   */
  repairs?: readonly string[]
  /** Go on where something that was acknowledged may be lost, without asking. */
  acceptLoss?: boolean | undefined
  /** It begins in this time, in milliseconds since the epoch. The core sees to it, no kind. */
  notBefore?: number | undefined
  notAfter?: number | undefined
  /** Options that only this kind has, see `Kind.options`. Absent: none was given. */
  own?: Own
}

/** A plan that no document asks for. */
export type Action<Input extends z.ZodType = z.ZodType> = DrawnAction<Input> | OrderedAction<Input>

/** It is drawn by itself: back up, promote. */
export interface DrawnAction<Input extends z.ZodType = z.ZodType> {
  input: Input
  /**
   * Upon a floorplan that the inspector has just read. Pure. Throws `not-found` for what there is not, `conflict` for
   * what cannot be done now.
   */
  plan(seen: Floorplan, input: z.output<Input>, observations: readonly Observation[]): PlanDraft
}

/** The newest order is drawn once more, with these options, and stays what it is: stop, start, recreate. */
export interface OrderedAction<Input extends z.ZodType = z.ZodType> {
  input: Input
  /** Pure. `own` may say what no order can ask for. */
  options(input: z.output<Input>): Partial<Pick<PlanOptions, 'skipDrain' | 'own'>>
}

/** Keeps the input's type when an action is written as an object literal. */
export function defineAction<Input extends z.ZodType>(action: Action<Input>): Action<Input> {
  return action
}

/** What the inspector may look at. Reads only. */
export interface World extends Pick<Look, 'observer'> {
  /** What the ledger recorded. */
  recorded: Floorplan
  /** Machines and disks the provider says this deployment owns. */
  provider: Provider
  compiled: CompiledIndex
  durations: Durations
  stores: Stores
  /** Also looks at what no plan asks for, one question more to each machine: for the verdict after a plan. */
  closely?: true
}

/** What an inspector has found. */
export interface Inspection {
  /**
   * The materials that exist: the recorded ones with facts that only the world can tell, and those
   * that are not recorded.
   */
  materials: ActualMaterial[]
  /** What it saw that is no material. */
  observations: Observation[]
}

/** What a foreman may know beside blueprint and floorplan. */
export interface Known {
  /**
   * What the inspector saw beside the floorplan: it changes how a plan does things, never whether it may be applied.
   */
  observations?: readonly Observation[]
  /** Exclusive names that other deployments hold, in the spaces that the kind asked for. */
  reserved?: ReservedNames
}

/** What describing an instance may look at. */
export interface Looking extends Pick<World, 'provider' | 'stores'> {
  deployment: string
  /** All that is recorded of the deployment. */
  materials: readonly ActualMaterial[]
}

/** What `Kind.keep` may use. */
export interface Keeping {
  blobs: Pick<Blobstore, 'put'>
  secrets: Secrets
}

/** What a process opens its kinds with, once. */
export interface KindTools {
  blobs: Blobstore
  /** Exists; what a kind may find again after a restart, and make anew without. Of this user alone. */
  cacheFolder: string
}

/** An instance as tables show it, without what its kind adds (`Kind.instanceFields`). */
export type InstanceView = Instance

/** An instance by what is recorded of it. */
export interface RecordedInstance extends Omit<InstanceView, 'state' | 'processes' | 'intents'> {
  material: ActualMaterial
  /** What a person wants of it. Absent: nothing else than that it runs. */
  intents?: readonly string[]
  /** It was stopped by request: it is well while no process of it runs. */
  stopped: boolean
}

/**
 * A kind of deployment. `schema` and `architect` know the user's document, `inspector` knows the world, `foreman` knows
 * the way from one to the other; each is a file of the kind's folder. What carries the plan out is in
 * `kinds/<name>/steps/`.
 */
export interface Kind<Strategy = unknown, Options = unknown> {
  name: string
  /** How the strategy of its blueprints is read. */
  strategy: z.ZodType<Strategy>
  /**
   * How its own options are read: a foreman finds them as `PlanOptions.own`. Absent: it has none, and any is refused.
   */
  options?: z.ZodObject & z.ZodType<Options>
  /** True where the document is of this kind; asked in order of registration. */
  recognises(document: SourceDocument): boolean
  /**
   * Puts into the blobstore what the document says and neither plan nor floorplan may: secrets. Answers digests for the
   * architect, the same for the same document. Absent: there is no such thing.
   */
  keep?(document: SourceDocument, keeping: Keeping): Promise<Record<string, string>>
  /** The releases that the document means: only those are read for the architect. Pure. Absent: the kind needs none. */
  chooses?(document: SourceDocument, catalog: Required<Pick<CatalogView, 'releaseIds' | 'created'>>): ReleaseId[]
  /**
   * What is wrong with these cloud configs, whatever document may come: a config that makes it
   * more is not stored. Pure.
   */
  checkClouds?(documents: readonly SourceDocument[]): Fault[]
  /**
   * Asks others about what the document says that a pure architect may not ask. Throws `invalid-input`.
   * Absent: nothing is asked.
   */
  check?(document: SourceDocument): Promise<void>
  /** The blueprint of a deployment that is to stand no more: removal is planned against it. Pure. */
  nothing(deployment: string): Blueprint<Strategy>
  /** Document and uploads -> blueprint. Pure. Throws `invalid-input` with all faults at once. */
  architect(document: SourceDocument, catalog: CatalogView): Blueprint<Strategy>
  /** Name of the deployment a document describes; throws `invalid-input` where it has none. */
  deploymentName(document: SourceDocument): string
  /** The world -> floorplan. Adds to what is recorded what only the world knows; changes nothing. */
  inspector: (blueprint: Blueprint<Strategy>, world: World) => Promise<Inspection>
  /** Blueprint x floorplan -> construction plan. Pure, but for functions of content that the kind was opened with. */
  foreman: (
    blueprint: Blueprint<Strategy>,
    floorplan: Floorplan,
    options: PlanOptions<Options>,
    known?: Known,
  ) => Promise<PlanDraft>
  /**
   * What, of all that the inspector has just found, is not as it was recorded. Pure. Said of a deployment when a plan
   * is done, so it names what a user can act on. Absent: a plan's own word is all there is.
   */
  deviations?(found: Inspection, deployment: string): Deviation[]
  /** What, of the same findings, is as it was recorded and will not do what people expect: a sentence each. Pure. */
  warnings?(found: Inspection, deployment: string): string[]
  /**
   * What, of all that the inspector has just found, is lost and comes back by a repair (`PlanOptions.repairs`).
   * Pure. Absent: nothing of this kind is mended between deploys.
   */
  losses?(found: Inspection): Loss[]
  /** Some of what is lost can be mended without the rest. Absent: a repair is of all that is lost. */
  mendsEach?: true
  /**
   * True where a machine or disk of this ownership was made by this kind: a deployment that no plan
   * names is removed by it.
   */
  made?(ownership: Ownership): boolean
  /** Spaces of exclusive names that a plan for this blueprint may take some of. Pure. Absent: the kind takes none. */
  spaces?: (blueprint: Blueprint<Strategy>) => Space[]
  /**
   * Exclusive names that materials use, whether they stand or are only recorded. Pure. What a plan reserves is held on
   * while its material is among them; the rest is given back when the plan ends. Absent: the kind takes none.
   */
  holdings?(materials: readonly ActualMaterial[]): Reservation[]
  /** Plans that no document asks for, by name: `POST /v1/deployments/:name/actions/:action`. Absent: there are none. */
  actions?: Readonly<Record<string, Action>>
  /**
   * The instances that these materials are of: those of tables, logs and commands. Pure. Absent: the kind has none.
   */
  instances?(materials: readonly ActualMaterial[]): RecordedInstance[]
  /** Log files of an instance, or folders of them, beside the folder of logs that every machine has. */
  logs?: readonly string[]
  /** What of its documents the board shows. Absent: their names. */
  readable?: Readable
  /** Which releases these materials are of: they are in use, and not cleaned up. Pure. Absent: the kind runs none. */
  releasesInUse?(
    materials: readonly ActualMaterial[],
    catalog: Pick<CatalogView, 'releases' | 'stemcells'>,
  ): UsedRelease[]
  /** Keys of the packages that have to be compiled before this remodel, or are by it. Pure. Absent: none. */
  packagesOf?(remodel: Remodel): string[]
  /**
   * Digests of the blobs that its stores name of a deployment: the clean-up leaves them. Absent:
   * floorplan and plans name all.
   */
  keptBlobs?(stores: Stores, deployment: string): Promise<Iterable<string>>
  /** Ends what it has started in this process: threads, children. Absent: it starts none. */
  close?(): Promise<void>
  /** Routes of its own below `/v1`. Absent: it has none. */
  routes?(server: Routes, parts: RouteParts): void
  /**
   * What `describe` adds to an instance, by field: what the API says of instances has them too. Absent: it adds none.
   */
  instanceFields?: z.ZodRawShape
  /**
   * Adds to an instance, whose machine was asked for its processes, what the instance says of itself now. Within
   * seconds, as people wait for the table; one that does not answer is `unresponsive`, and never throws. Absent:
   * processes are all there is.
   */
  describe?(instance: ActualMaterial, seen: InstanceView, looking: Looking): Promise<InstanceView>
}

/**
 * A kind as the core holds it: to the core a strategy is JSON, and each function of the kind gets it as the kind's own
 * schema reads it. Throws `conflict` for a blueprint that another kind has drawn, or another version of this one.
 */
export function defineKind<Strategy, Options = never>(
  kind: Kind<NoInfer<Strategy>, NoInfer<Options>> & {
    strategy: z.ZodType<Strategy>
    options?: z.ZodObject & z.ZodType<Options>
  },
): Kind {
  const read = (blueprint: Blueprint): Blueprint<Strategy> => {
    const strategy = kind.strategy.safeParse(blueprint.strategy)
    if (strategy.success) return { ...blueprint, strategy: strategy.data }
    const { path, message } = strategy.error.issues[0]!
    throw new RemodelError('conflict', `kind ${kind.name} cannot read the strategy at ${path.join('.')}: ${message}`)
  }
  const { spaces } = kind
  return {
    ...kind,
    inspector: (blueprint, world) => kind.inspector(read(blueprint), world),
    foreman: async (blueprint, floorplan, options, known) =>
      kind.foreman(read(blueprint), floorplan, options as PlanOptions<Options>, known),
    spaces: (blueprint) => spaces?.(read(blueprint)) ?? [],
  }
}
