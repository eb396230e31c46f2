import { atMost, type Figure } from '../figure.ts'
import { boundOf, type Course, growthOf, moreObjects, type Parts, partsOf } from './parts.ts'
import type { AtRest } from './rest.ts'

export type Rests = readonly [warm: AtRest, middle: AtRest, end: AtRest]

/** Nothing is deployed at a rest: what is kept there for longer than the warm-up has reached its bound in it. */
const keptMb = 1

/**
 * Ruby's memory at which a thread is replaced (`kinds/deployment/render/ruby-thread.ts`), and room for
 * V8's heap of the thread.
 */
const threadMb = 192 + 32

const bounds: Record<keyof Parts, string> = {
  kept: 'what was there at the first rest: nothing of what is gone',
  room: 'the most that was kept at once',
  threads: '192 MB of Ruby for each thread, which is then replaced, and its heap',
  native: 'the most that was used at once, in each arena of the C library',
  files: 'the programs',
}

/** What grew between two rests, and until which bound. */
export function grown(bench: string, rests: Rests): Figure[] {
  return [...rests[0].processes.keys()].flatMap((name) => {
    const course = courseOf(name, rests)
    const kept = growthOf(over(course, ({ kept }) => kept))
    const all = growthOf(over(course, ({ kept, room, native, files }) => kept + room + native + files))
    const { count } = rests[2].processes.get(name)!.retained.threads
    const more = [...moreObjects(retainedOf(name, rests))].map(([what, count]) => `${count} ${what}`)
    const against = `${kept.first.toFixed(1)} MB in the first half; objects that went on growing in number: ${more.join(', ') || 'none'}`
    return [
      atMost({ bench, case: `${name}, more kept in the second half`, value: kept.second, unit: 'MB', against }, keptMb),
      atMost(
        {
          bench,
          case: `${name}, more memory without threads in the second half`,
          value: all.second,
          unit: 'MB',
          against: `${all.first.toFixed(1)} MB in the first half; growth without a bound does not slow down`,
        },
        boundOf(all.first),
      ),
      ...(count > 0
        ? [
            atMost(
              {
                bench,
                case: `${name}, memory of threads`,
                value: course[2].threads,
                unit: 'MB',
                against: `${count} threads`,
              },
              count * threadMb,
            ),
          ]
        : []),
    ]
  })
}

/** Lines for people: all memory of each process and of Redis, by what it is for. */
export function explanation(rests: Rests): string[] {
  const lines = [row('', 'MB at rest', ['after warm-up', 'middle', 'end'], 'until')]
  for (const name of rests[0].processes.keys()) {
    const course = courseOf(name, rests)
    for (const part of Object.keys(bounds) as (keyof Parts)[])
      lines.push(row(name, part, figures(over(course, (parts) => parts[part])), bounds[part]))
  }
  const ofRedis = (value: (rest: AtRest) => number) => figures(rests.map(value) as [number, number, number])
  lines.push(
    row(
      'redis',
      'queues',
      ofRedis((rest) => rest.redis.queues),
      '1,000 finished jobs of each outcome and 10,000 events of each',
    ),
    row(
      'redis',
      'keys that go by themselves',
      ofRedis((rest) => rest.redis.passing),
      'their time',
    ),
    row(
      'redis',
      'other keys',
      ofRedis((rest) => rest.redis.kept),
      'deployments, plans that are kept, what was uploaded',
    ),
    row(
      'redis',
      'scripts, connections, tables',
      ofRedis((rest) => rest.redis.rest),
      'the most that was used at once',
    ),
  )
  return lines
}

function courseOf(name: string, rests: Rests): Course {
  return rests.map((rest) => {
    const { held, retained } = rest.processes.get(name)!
    return partsOf(held, retained)
  }) as unknown as Course
}

function retainedOf(name: string, rests: Rests) {
  const [warm, middle, end] = rests.map((rest) => rest.processes.get(name)!.retained)
  return [warm!, middle!, end!] as const
}

function over(course: Course, value: (parts: Parts) => number): [number, number, number] {
  return [value(course[0]), value(course[1]), value(course[2])]
}

function figures(values: readonly [number, number, number]): string[] {
  return values.map((value) => value.toFixed(1))
}

function row(name: string, part: string, values: readonly string[], until: string): string {
  return `${name.padEnd(12)} ${part.padEnd(30)} ${values.map((value) => value.padStart(13)).join(' ')}  ${until}`
}
