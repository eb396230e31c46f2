import type { FieldCase } from './field-case.ts'
import {
  brokenBlobsHeal,
  exportsCanBeUploaded,
  homeIsHidden,
  immutableFilesGo,
  lostSourcesAreSentAgain,
  nothingIsLeftBehind,
} from './rules/compiled.ts'
import { killedCompilersFailNoWaiter, steppedClockHeals } from './rules/compilers.ts'
import { oneAfterAnother, renamed, reservedNames } from './rules/databases.ts'
import { addressesOfTheirOwn, hooksEnd, littleMemory, noSecretsOnTheBoard } from './rules/deployed.ts'
import { canBeLookedAt, disksStay, runsAsVcap, stalePidfiles } from './rules/machines.ts'
import {
  mapsOfProperties,
  nextStates,
  refusedAtTheirPlace,
  sameAsDefaults,
  upIsAllThatIsKnown,
  versionsAsWritten,
} from './rules/planned.ts'
import { rolesAsWritten } from './rules/roles.ts'
import { redisWithoutConfig } from './rules/started.ts'
import { noCloudConfigs, twoIdsTwoJobs } from './rules/stored.ts'
import { storesOfManyKinds } from './rules/stores.ts'
import { refusedTarballs, takenTarballs } from './rules/uploaded.ts'

/** Runs the inputs of one folder and checks what is right of them. */
type Rule = (given: FieldCase) => Promise<void>

/** Without machines, by the id that begins a folder's name. */
export const drawn: Record<string, Rule> = {
  B01: versionsAsWritten,
  B02: sameAsDefaults,
  B03: mapsOfProperties,
  B04: refusedAtTheirPlace,
  B07: nextStates,
  B11: storesOfManyKinds,
  B18: reservedNames,
  B20: twoIdsTwoJobs,
  B21: redisWithoutConfig,
  B24: upIsAllThatIsKnown,
  C05: refusedTarballs,
  C06: refusedTarballs,
  C07: refusedTarballs,
  C09: refusedTarballs,
  C10: refusedTarballs,
  C11: refusedAtTheirPlace,
  C14: takenTarballs,
  C18: noCloudConfigs,
  D02: renamed,
  D05: oneAfterAnother,
  N03: refusedAtTheirPlace,
  N05: noCloudConfigs,
}

/** On machines of a Remodel of their own. */
export const carriedOut: Record<string, Rule> = {
  B08: hooksEnd,
  B22: steppedClockHeals,
  B23: noSecretsOnTheBoard,
  C01: nothingIsLeftBehind,
  C02: brokenBlobsHeal,
  C03: lostSourcesAreSentAgain,
  C04: homeIsHidden,
  C08: exportsCanBeUploaded,
  C13: littleMemory,
  C15: nothingIsLeftBehind,
  C16: killedCompilersFailNoWaiter,
  C19: immutableFilesGo,
  N01: addressesOfTheirOwn,
}

/** On machines as well; the suite has tests of their own for them. */
const alone: Record<string, Rule> = {
  B05: stalePidfiles,
  B06: disksStay,
  B10: runsAsVcap,
  B14: rolesAsWritten,
  D10: rolesAsWritten,
  N04: canBeLookedAt,
}

export function ruleOf(folder: string): Rule | undefined {
  const id = idOf(folder)
  return drawn[id] ?? carriedOut[id] ?? alone[id]
}

/** `C08` of `C08-export-refused-by-upload`. */
export function idOf(folder: string): string {
  return /^[A-Z]\d+/.exec(folder)?.[0] ?? ''
}
