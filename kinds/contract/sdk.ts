/**
 * All that a kind outside of this repository imports: what it has to be, and what foremen and steps of all kinds use.
 */
export { inVersion, versioned } from '../../shared/model/input-version.ts'
export {
  type ActualMaterial,
  type Blueprint,
  type Floorplan,
  type Material,
  materialName,
  materialType,
} from '../../shared/model/material.ts'
export { type Aspect, type Observation, observation, observed } from '../../shared/model/observation.ts'
export { RemodelError } from '../../shared/runtime/errors.ts'
export { failpoint } from '../../shared/runtime/failpoint.ts'
export { invalidInput, type SourceDocument, suggest } from '../../shared/source/document.ts'
export { begunFor, noteBegun } from './begun.ts'
export { changesBetween, type Difference, diffMaterials } from './diff.ts'
export type { PlanDraft, RemodelDraft } from './draft.ts'
export {
  type Action,
  type CatalogView,
  defineAction,
  defineKind,
  type Inspection,
  type Kind,
  type PlanOptions,
  type World,
} from './kind.ts'
export { inOrder } from './order.ts'
export { definePhrases } from './reason.ts'
export { defineStep, type Step, type StepContext, type StepResult, type Wait } from './step.ts'
export type { Stores } from './stores.ts'
