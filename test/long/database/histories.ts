import { Random } from '../../sim/random.ts'
import type { Wish } from './support.ts'

/** What a document asks for beside the one before it. */
const changes = ['add', 'remove', 'rename', 'replica', 'settings', 'undo', 'nothing'] as const
/** What happens to a machine, or a link, before it is deployed. `frozen`: its processes stand still. */
const faults = ['none', 'none', 'none', 'killed', 'frozen', 'server ended', 'link disabled'] as const

export interface Chapter {
  change: (typeof changes)[number]
  fault: (typeof faults)[number]
  /** Host of the machine, or one of the two ends of the link. */
  at: string
  /** Which node is meant, of those that may be. */
  node: number
  workMem: string
}

export interface History {
  run: number
  chapters: Chapter[]
}

const perHistory = 4

/** So many histories of documents: same seed, same histories. */
export function drawHistories(seed: number, runs: number): History[] {
  return Array.from({ length: runs }, (_, run) => {
    const random = new Random(seed).fork(`history ${run}`)
    const chapters = Array.from(
      { length: perHistory },
      (): Chapter => ({
        change: random.pick(changes),
        fault: random.pick(faults),
        at: random.pick(['a', 'b']),
        node: random.int(0, 9),
        workMem: `${random.int(2, 30)}MB`,
      }),
    )
    return { run, chapters }
  })
}

/** Of a document: what these histories change of it. */
export type Page = Pick<Wish, 'nodes' | 'settings'> & { source: Record<string, string> }

export const firstPage: Page = { nodes: { n1: 'a', n2: 'b' }, source: {}, settings: { work_mem: '4MB' } }

/** The document after this change; `before`: the one that stood ahead of the current one. */
export function changed(current: Page, before: Page, { change, node, workMem }: Chapter): Page {
  const { nodes } = current
  const names = Object.keys(nodes)
  const picked = names[node % names.length]!
  const others = names.filter((name) => name !== picked)
  switch (change) {
    case 'add': {
      const free = [...'abce'].find((letter) => !Object.values(nodes).join('').includes(letter))
      const name = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].find((one) => !names.includes(one))!
      if (free === undefined) return current
      return { ...current, nodes: { ...nodes, [name]: free }, source: { ...current.source, [name]: picked } }
    }
    case 'remove':
      return others.length === 0 ? current : { ...current, nodes: pick(nodes, others), source: {} }
    case 'rename': {
      const name = ['n7', 'n8', 'n9'].find((one) => !names.includes(one))!
      return { ...current, nodes: { ...pick(nodes, others), [name]: nodes[picked]! }, source: {} }
    }
    case 'replica': {
      const has = names.find((name) => nodes[name]!.includes('d'))
      if (has !== undefined) return { ...current, nodes: { ...nodes, [has]: nodes[has]!.replace('d', '') } }
      return { ...current, nodes: { ...nodes, [picked]: `${nodes[picked]}d` } }
    }
    case 'settings':
      return { ...current, settings: { work_mem: workMem } }
    case 'undo':
      return before
    case 'nothing':
      return current
  }
}

function pick(nodes: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, nodes[name]!]))
}
