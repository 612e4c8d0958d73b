/**
 * `npm run soak`: what the tests try a few times, very often: 100 sessions loaded and disposed of, 10,000 runs, 100 devices and 100
 * GPU processes lost, in Node and in Chromium. Half an hour on a software adapter; prints what was held.
 */
process.env['COMPCONV_SOAK'] = '1';
process.argv.push('endurance', 'device-loss', 'gpu-crash', '--project', 'gpu', '--project', 'browser');
await import('./test.mjs');
