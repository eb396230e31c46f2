import { randomBytes } from 'node:crypto'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**'],
    // Planners that tests start and commands that tests run have it in common; what a home's own token does has tests of its own.
    env: { REMODEL_TOKEN: randomBytes(24).toString('hex') },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more files at once only makes each slower and waits longer.
    maxWorkers: 2,
  },
})
