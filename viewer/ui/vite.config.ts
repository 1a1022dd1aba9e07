import { defineConfig } from 'vitest/config';

// Names without hashes: the assets are embedded into the binary one by one, and served with an ETag.
export default defineConfig({
  base: './',
  build: {
    outDir: '../assets',
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        entryFileNames: 'app.js',
        chunkFileNames: '[name].js',
        assetFileNames: (asset) => (asset.names.some((name) => name.endsWith('.css')) ? 'app.css' : '[name][extname]'),
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8700' } },
  test: { include: ['src/**/*.test.ts'] },
});
