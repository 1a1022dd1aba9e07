import { defineConfig } from 'vitest/config';

// One browser at a time: they measure.
export default defineConfig({
  test: { include: ['e2e/**/*.test.ts'], root: new URL('..', import.meta.url).pathname, fileParallelism: false, testTimeout: 30_000, hookTimeout: 60_000 },
});
