import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // Any folder with models/ and images/ in it; here the repository's.
  publicDir: '../../public',
});
