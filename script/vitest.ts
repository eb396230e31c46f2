import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { execa } from 'execa'

/**
 * `node script/vitest.ts [arguments of vitest run]`: runs tests and ends with one line of figures.
 *
 * Where `CI` is set, the files in which a test failed are run once more, in a process of their own and with a
 * stack of their own, and named: real processes on a busy machine may miss a deadline once, twice is a fault.
 * (Vitest's own `retry` tries a test again on the stack that its first try has changed.) An error outside of
 * every test fails at once.
 */
const folder = await mkdtemp(join(tmpdir(), 'remodel-vitest-'))
const args = process.argv.slice(2)
try {
  const first = await run('first', args)
  const { failedFiles, skipped } = first
  let { exitCode, passed, failed } = first
  if (process.env.CI && failedFiles.length > 0) {
    console.log(`== once more: ${failedFiles.join(', ')}`)
    const config = args.includes('--config') ? ['--config', args[args.indexOf('--config') + 1]!] : []
    const second = await run('second', [...config, ...failedFiles])
    passed += failed - second.failed
    ;({ exitCode, failed } = second)
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exitCode = exitCode
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function run(name: string, args: readonly string[]) {
  const report = join(folder, `${name}.json`)
  const argv = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args]
  const { exitCode = 1 } = await execa('vitest', argv, { preferLocal: true, stdio: 'inherit', reject: false })
  const { numPassedTests, numFailedTests, numPendingTests, testResults }: Report = JSON.parse(
    await readFile(report, 'utf8').catch(
      () => '{"numPassedTests":0,"numFailedTests":0,"numPendingTests":0,"testResults":[]}',
    ),
  )
  return {
    exitCode,
    passed: numPassedTests,
    failed: numFailedTests,
    skipped: numPendingTests,
    failedFiles: testResults.filter(({ status }) => status === 'failed').map((file) => relative('.', file.name)),
  }
}

/** What is read of Vitest's JSON report. */
interface Report {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  testResults: { name: string; status: string }[]
}
