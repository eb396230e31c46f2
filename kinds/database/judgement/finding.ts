import { materialName } from '../../../shared/model/material.ts'
/** One thing that is not as it should be, and what to do about it. */
export interface Finding {
  /** The material that it is said of: `node/n1`. */
  material: string
  /** The rest of a sentence that begins with the material: `takes no writes`. */
  what: string
  /** A command line, or a sentence where none is enough; null: a person has nothing to do. */
  next: string | null
  /** Nothing has failed yet. */
  warning: boolean
}

export const failure = (material: string, what: string, next: string | null): Finding => ({
  ...{ material, what, next },
  warning: false,
})

export const warning = (material: string, what: string, next: string | null = null): Finding => ({
  ...{ material, what, next },
  warning: true,
})

/** `n1 takes no writes`: of a database each name tells by itself what it is of. */
export const sentenceOf = ({ material, what }: Finding) => `${materialName(material)} ${what}`
