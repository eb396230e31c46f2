import type { Fault } from '../../shared/runtime/errors.ts'
import { type Path, SourceDocument } from '../../shared/source/document.ts'
import { LabStep, Session } from './steps.ts'

/** A fault of a step, at a path within it. */
export type FaultAt = (path: Path, message: string, more?: Partial<Fault>) => Fault

/** A step, and where it is written. */
export interface WrittenStep {
  step: LabStep
  at: FaultAt
}

/** The steps of a session. Throws `invalid-input`, with every fault and its place. */
export function readSession(file: string, text: string): { documents: string[]; steps: WrittenStep[] } {
  const document = new SourceDocument(file, text)
  const { documents, steps } = document.parse(Session)
  const written = steps.map(
    (step, index): WrittenStep => ({ step, at: (path, ...more) => document.fault(['steps', index, ...path], ...more) }),
  )
  return { documents, steps: written }
}

/** A step that was typed as this line of the input; undefined where the line is empty. */
export function readLine(text: string, line: number): WrittenStep | undefined {
  if (/^\s*(#|$)/.test(text)) return undefined
  const document = new SourceDocument('<stdin>', `${'\n'.repeat(line - 1)}${text}`)
  return { step: document.parse(LabStep), at: (...fault) => document.fault(...fault) }
}
