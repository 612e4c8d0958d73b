import { defineConfig } from 'vite';

export default defineConfig({
  // Any folder with models/ and images/ in it; here the repository's.
  publicDir: '../../public',
  // The worker loads parts of the engine when they are needed, which takes ES modules.
  worker: { format: 'es' },
});
