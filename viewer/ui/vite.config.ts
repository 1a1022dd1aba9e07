import { defineConfig } from 'vitest/config';

// The output is committed and embedded into the binary. Names have a hash of what is in the file, so browsers may keep them for ever.
export default defineConfig({
  base: '/',
  build: {
    outDir: '../assets',
    emptyOutDir: true,
    target: 'es2022',
    // `light-dark()` and `color-mix()` are left as they are.
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'],
    modulePreload: false,
    // What is embedded comes with the licences of what it is made of.
    license: { fileName: 'licenses.txt' },
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        entryFileNames: '[name]-[hash:8].js',
        // No dot in the name: what follows the first is the kind of file.
        chunkFileNames: ({ name }) => `${name.split('.')[0] ?? name}-[hash:8].js`,
        assetFileNames: '[name]-[hash:8][extname]',
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8700' } },
  // Some work through traces of tens of thousands of spans, and machines may be busy: only failures wait so long.
  test: { include: ['src/**/*.test.ts'], testTimeout: 60_000 },
});
