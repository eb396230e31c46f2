import { Random } from '../../sim/random.ts'
import type { Wish } from './support.ts'

/**
 * What a document asks for beside the one before it. `withdrawn`: a restore is begun, cut off, and taken out
 * of the document again.
 */
const changes = [
  'add',
  'remove',
  'rename',
  'replica',
  'move',
  'settings',
  'role',
  'restore',
  'withdrawn',
  'undo',
  'nothing',
] as const
/**
 * What happens to a machine, or a link, before it is deployed. `frozen`: its processes stand still.
 * `cut off`: it is out of Remodel's reach, and its server goes on taking writes. `disk full`: a person
 * makes room when the deploy is over, or has lasted for a while, and deploys again.
 */
const faults = [
  'none',
  'none',
  'none',
  'killed',
  'frozen',
  'cut off',
  'disk full',
  'server ended',
  'link disabled',
] as const

export interface Chapter {
  change: (typeof changes)[number]
  fault: (typeof faults)[number]
  /** Host of the machine, or one of the two ends of the link, where the document has it; else another one: `hostOf`. */
  at: string
  /** Which node is meant, of those that may be. */
  node: number
  workMem: string
  password: string
  /** When a restore that is withdrawn is cut off. */
  afterMs: number
}

export interface History {
  run: number
  chapters: Chapter[]
}

const perHistory = 4

/** Histories of documents: same seed, same histories; `fault`: each chapter has this one. */
export function drawHistories(seed: number, runs: number, fault?: string): History[] {
  const known = faults.find((one) => one === fault)
  if (fault !== undefined && known === undefined) throw new Error(`${fault} is none of ${faults.join(', ')}`)
  return Array.from({ length: runs }, (_, run) => {
    const random = new Random(seed).fork(`history ${run}`)
    const chapters = Array.from(
      { length: perHistory },
      (): Chapter => ({
        change: random.pick(changes),
        fault: known ?? random.pick(faults),
        at: random.pick(['a', 'b']),
        node: random.int(0, 9),
        workMem: `${random.int(2, 30)}MB`,
        password: `secret ${random.int(0, 999)}`,
        afterMs: random.int(0, 8000),
      }),
    )
    return { run, chapters }
  })
}

/** Of a document: what these histories change of it. `roles`: name -> password. */
export type Page = Required<Pick<Wish, 'nodes' | 'settings' | 'restore'>> & {
  source: Record<string, string>
  roles: Readonly<Record<string, string>>
}

export const firstPage: Page = {
  nodes: { n1: 'a', n2: 'b' },
  source: {},
  settings: { work_mem: '4MB' },
  restore: {},
  roles: {},
}

/** The names that roles of these histories may have. */
export const roleNames = ['reader', 'clerk']

/**
 * The documents of this change, one after the other; `before`: the one that stood ahead of the current one;
 * `moment`: of a restore.
 */
export function pagesOf(current: Page, { before, moment }: { before: Page; moment: string }, chapter: Chapter): Page[] {
  const { change, node, workMem, password } = chapter
  const { nodes } = current
  const names = Object.keys(nodes)
  const picked = names[node % names.length]!
  const others = names.filter((name) => name !== picked)
  const free = [...'abcef'].find((letter) => !Object.values(nodes).join('').includes(letter))
  switch (change) {
    case 'add': {
      const name = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].find((one) => !names.includes(one))!
      if (free === undefined) return [current]
      return [{ ...current, nodes: { ...nodes, [name]: free }, source: { ...current.source, [name]: picked } }]
    }
    case 'remove':
      return [others.length === 0 ? current : { ...current, nodes: pick(nodes, others), source: {} }]
    case 'rename': {
      const name = ['n7', 'n8', 'n9'].find((one) => !names.includes(one))!
      return [{ ...current, nodes: { ...pick(nodes, others), [name]: nodes[picked]! }, source: {} }]
    }
    case 'replica': {
      const has = names.find((name) => nodes[name]!.includes('d'))
      if (has !== undefined && nodes[has] !== 'd')
        return [{ ...current, nodes: { ...nodes, [has]: nodes[has]!.replace('d', '') } }]
      return [has === undefined ? { ...current, nodes: { ...nodes, [picked]: `${nodes[picked]}d` } } : current]
    }
    case 'move': {
      if (free === undefined) return [current]
      const at = (letters: string): Page => ({ ...current, nodes: { ...nodes, [picked]: letters } })
      return [at(`${nodes[picked]}${free}`), at(free)]
    }
    case 'settings':
      return [{ ...current, settings: { work_mem: workMem } }]
    case 'role': {
      const name = roleNames[node % roleNames.length]!
      const { [name]: known, ...rest } = current.roles
      return [{ ...current, roles: known !== undefined && node > 6 ? rest : { ...rest, [name]: password } }]
    }
    case 'restore':
    case 'withdrawn':
      return [{ ...current, restore: { all: { restore_options: { type: 'time', target: moment } } } }]
    case 'undo':
      return [before]
    case 'nothing':
      return [current]
  }
}

/** The host that the fault of this chapter befalls. */
export function hostOf({ nodes }: Page, { at, node }: Chapter): string {
  const hosts = Object.values(nodes).join('')
  return hosts.includes(at) ? at : hosts[node % hosts.length]!
}

/** The document asks for another state of its data, so what is written meanwhile may go. */
export function asksForRestore(wanted: Page, current: Page): boolean {
  return wanted.restore.all !== undefined && JSON.stringify(wanted.restore) !== JSON.stringify(current.restore)
}

function pick(nodes: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, nodes[name]!]))
}
