import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: here('../../dist/console'),
    emptyOutDir: true,
    // `light-dark()` and native dialogs, as they are.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // The content security policy allows neither data: URIs nor inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // For `vite --config src/console/vite.config.ts` beside a running `wardwatch run`.
    proxy: { '/api': 'http://127.0.0.1:8642' },
  },
});
