import { defineConfig } from 'vite';

export default defineConfig({
  // Any folder with models/ and images/ in it; here the repository's.
  publicDir: '../../public',
});
