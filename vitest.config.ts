import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more files at once only makes each slower and waits longer.
    maxWorkers: 2,
    // Real processes on a busy machine may miss a deadline once; twice is a fault.
    retry: process.env.CI ? 1 : 0,
  },
})
