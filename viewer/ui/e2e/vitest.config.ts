import { defineConfig } from 'vitest/config';
import { PATIENCE } from './patience.ts';

// One browser at a time: they measure. A test waits for many things, of which at most the last is wrong.
export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts'],
    root: new URL('..', import.meta.url).pathname,
    fileParallelism: false,
    testTimeout: 5 * PATIENCE,
    hookTimeout: 5 * PATIENCE,
    expect: { poll: { timeout: PATIENCE } },
  },
});
