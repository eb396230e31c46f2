import { filesOf, loadedBy } from './house/sources.ts'

/**
 * Tests by speed. A test file is of the project of the slowest thing that it uses, read off its imports and those of
 * the files of `test/`, `bench/` and `examples/` behind it:
 *
 * - `machines`: processes (`node:child_process`, `execa`) or machines (`shared/provider/local/`);
 * - `redis`: a Redis (`test/support/redis*.ts`), or the simulator that stands in for one (`test/sim/`);
 * - `unit`: neither.
 */
type Project = 'unit' | 'redis' | 'machines'

const redis = /^test\/support\/redis[^/]*\.ts$/
const processes = /^(node:child_process|execa|shared\/provider\/local\/.*)$/
const ofTests = (file: string) => /^(test|bench|examples|script)\//.test(file) && !redis.test(file)

function projectOf(file: string): Project {
  const used = [...loadedBy(file, ofTests).keys()]
  if (used.some((name) => processes.test(name))) return 'machines'
  return file.startsWith('test/sim/') || used.some((name) => redis.test(name)) ? 'redis' : 'unit'
}

/** Project -> its test files. The long suites have configurations of their own. */
export function testsByProject(): Record<Project, string[]> {
  const files = filesOf('test/**/*.test.ts').filter((file) => !file.startsWith('test/long/'))
  const found = Map.groupBy(files, projectOf)
  return { unit: found.get('unit') ?? [], redis: found.get('redis') ?? [], machines: found.get('machines') ?? [] }
}
