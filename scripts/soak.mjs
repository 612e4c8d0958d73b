/**
 * `npm run soak`: what the tests try a few times, very often: 100 sessions loaded and disposed of, 10,000 runs, 100 devices and 100
 * GPU processes lost, calls aborted at 50 moments each, large files streamed, in Node and in Chromium, and every network on a device with default limits. Prints what was held.
 */
process.env['COMPCONV_SOAK'] = '1';
process.argv.push('endurance', 'device-loss', 'gpu-crash', 'default-limits', 'abort', 'streaming', '--project', 'gpu', '--project', 'browser');
await import('./test.mjs');
