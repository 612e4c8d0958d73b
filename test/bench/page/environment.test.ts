import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { browserOf, systemOf } from '../../../bench/page/environment.ts';
import { peerChoices } from '../../../bench/page/peer-choices.ts';

describe('a user agent', () => {
  test.each([
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0', 'Firefox 141.0', 'Windows NT 10.0'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
      'Safari 26.0',
      'Mac OS X 10.15.7',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1',
      'Safari 26.0',
      'iOS 26.0',
    ],
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
      'Edge 140.0.0.0',
      'Linux x86_64',
    ],
    [
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
      'Chrome 140.0.0.0',
      'Android 15',
    ],
  ])('%s', (userAgent, browser, system) => {
    expect(browserOf(userAgent)).toBe(browser);
    expect(systemOf(userAgent)).toBe(system);
  });
});

test('the page says how much other engines download: their WebAssembly, to the megabyte', () => {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
  const megabytes = (file: string) => Math.round(statSync(join(folder, file)).size / 1e6);
  const [web, wasm] = peerChoices(true);
  expect(web.downloadMegabytes).toBe(megabytes('ort-wasm-simd-threaded.jspi.wasm'));
  expect(peerChoices(false)[0].downloadMegabytes).toBe(megabytes('ort-wasm-simd-threaded.asyncify.wasm'));
  expect(wasm.downloadMegabytes).toBe(megabytes('ort-wasm-simd-threaded.wasm'));
  // What the page promises is read from these files, by name, in the peers' own code.
  expect(readFileSync(new URL('../../../bench/peers/ort-library.ts', import.meta.url), 'utf8')).toContain(
    'ort-wasm-simd-threaded.jspi.wasm',
  );
});
