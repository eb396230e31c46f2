import { randomBytes } from 'node:crypto'
import { defineConfig } from 'vitest/config'
import { testsByProject } from './test/projects.ts'

export default defineConfig({
  test: {
    // Planners that tests start and commands that tests run have it in common; what a home's own token
    // does has tests of its own.
    env: { REMODEL_TOKEN: randomBytes(24).toString('hex') },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A poll ends when the state is there; one second would be a judgement of the computer's speed.
    expect: { poll: { timeout: 30_000 } },
    // Two cores: more files at once only makes each slower and waits longer.
    maxWorkers: 2,
    projects: Object.entries(testsByProject()).map(([name, include]) => ({ extends: true, test: { name, include } })),
  },
})
