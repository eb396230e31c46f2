import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The long suite of databases: `vitest run --config test/long/database/vitest.config.ts`. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../..', import.meta.url)),
    include: ['test/long/database/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
  },
})
