/** Loading a model over the network, from bytes and from a Blob: progress, failures, cancellation, options and metadata. */
import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readAll, urlSource } from '../../src/bytes/byte-source.ts';
import { loadModel } from '../../src/load/load-model.ts';
import { readModel, seededModel } from '../../src/models/read-model.ts';
import { openSafetensors } from '../../src/weights/safetensors-source.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';

const file = readFileSync(new URL('../../public/models/fashion-mnist-compconv.safetensors', import.meta.url));
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/model') response.writeHead(200, { 'content-length': file.length }).end(file);
    else if (request.url === '/chunked') response.writeHead(200).end(file);
    else if (request.url === '/cut') response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 1000), () => response.destroy());
    else if (request.url === '/slow') response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 1000));
    else response.writeHead(404).end('no');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const code = (expected: string) => expect.objectContaining({ name: 'CompConvError', code: expected });

describe('sources', () => {
  test.each([['an address', () => `${url}/model`], ['a URL', () => new URL('/chunked', url)], ['bytes', () => new Uint8Array(file)], ['a Blob', () => new Blob([file])]])(
    '%s',
    async (_, source) => {
      const model = await readModel(source());
      expect(model.graph.name).toBe('CompConv16-ResNetSmall14');
      expect(model.labels).toHaveLength(10);
      expect(model.preprocess).toMatchObject({ color: 'gray', size: 28 });
      expect(model.weights.get('fc.bias').data).toHaveLength(10);
    },
  );

  test('progress counts bytes up to the end', async () => {
    const counts: [number, number | undefined][] = [];
    await readModel(`${url}/model`, { onProgress: ({ done, total }) => counts.push([done, total]) });
    expect(counts.at(-1)).toEqual([file.length, file.length]);
    expect(counts.map(([done]) => done)).toEqual(counts.map(([done]) => done).sort((a, b) => a - b));
  });
});

describe('failures', () => {
  test('a missing file', async () => {
    await expect(readModel(`${url}/nothing`)).rejects.toThrow(/the server answered 404/);
    await expect(readModel(`${url}/nothing`)).rejects.toEqual(code('io'));
  });

  test('a download that breaks off', async () => {
    await expect(readModel(`${url}/cut`)).rejects.toEqual(code('io'));
  });

  test.each(['abc', '1e3', '-5', '10, 10', ''])('a length that is announced as %j tells nothing', async (length) => {
    const source = urlSource('http://localhost/model', { fetch: async () => new Response(file, { headers: { 'content-length': length } }) });
    expect((await readAll(source)).length).toBe(file.length);
    expect((await openSafetensors(source)).byteLength).toBe(file.length);
  });

  test.each(['3', '9'.repeat(400)])('a length of %.20s that is not what comes', async (length) => {
    const source = urlSource('http://localhost/model', { fetch: async () => new Response(file, { headers: { 'content-length': length } }) });
    await expect(readAll(source)).rejects.toEqual(code('io'));
    await expect(openSafetensors(source)).rejects.toEqual(code('invalid-file'));
  });

  test.each([
    ['<!DOCTYPE html>', /model: safetensors: .*begins like an HTML page: does the server answer every address/],
    ['\n<html>  ', /begins like an HTML page/],
    ['\x89PNG\r\n\x1a\n', /model: safetensors: .*begins like an image/],
    ['PK\x03\x04\x14\0\0\0', /begins like a ZIP archive/],
    ['something else', /is this a \.safetensors file\?/],
    ['1234', /model: safetensors: the file has 4 bytes/],
    ['\x02\0\0\0\0\0\0\0[]', /model: safetensors: the header starts with byte 91/],
  ])('%j in place of a model is named, and what it looks like', async (content, message) => {
    const request = async () => new Response(Uint8Array.from(content, (char) => char.charCodeAt(0)));
    const expected = expect.objectContaining({ code: 'invalid-file', message: expect.stringMatching(message) as string });
    await expect(readModel('http://localhost/model', { fetch: request })).rejects.toEqual(expected);
    await expect(openSafetensors(urlSource('http://localhost/model', { fetch: request }))).rejects.toEqual(expected);
  });

  test.each(['', 'http://', 'models/resnet.safetensors', 'C:\\models\\a b'])('%j is no address', async (address) => {
    const expected = expect.objectContaining({ message: expect.stringContaining('fileBlob') as string });
    await expect(readModel(address)).rejects.toEqual(expected);
    await expect(loadModel(address)).rejects.toEqual(expected);
  });

  test('an address that is none is named; a file: address in Node has advice', async () => {
    await expect(loadModel('http://')).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('"http://" is no address') as string });
    await expect(loadModel('file:///models/a.safetensors')).rejects.toMatchObject({ code: 'io', message: expect.stringMatching(/a\.safetensors: could not .*fileBlob/) as string });
  });

  test('a function of one\'s own may take what is no address elsewhere', async () => {
    const model = await readModel('models/small', { fetch: async () => new Response(file) });
    expect(model.graph.name).toContain('Small14');
  });

  test('more than there is memory for', async () => {
    const none = vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValue(new RangeError('Array buffer allocation failed'));
    await expect(readAll(urlSource(`${url}/model`))).rejects.toEqual(code('out-of-memory'));
    none.mockRestore();
    // A tensor that is larger than what is taken for granted, where an array has at most as much.
    const large = writeSafetensors([['a', { shape: [5, 2 ** 20], data: new Float32Array(5 * 2 ** 20) }]]);
    const { read } = await openSafetensors(urlSource('http://localhost/model', { fetch: async () => new Response(large) }));
    vi.stubGlobal('Uint8Array', new Proxy(Uint8Array, { construct: (type, [length]) => (length > 2 ** 24 ? new type(-1) : new type(length)) }));
    await expect(read(new Set(['a']))[Symbol.asyncIterator]().next()).rejects.toEqual(code('out-of-memory'));
    vi.unstubAllGlobals();
  });

  test.each([undefined, 'etag', '*', 'ETag, Content-Encoding, Access-Control-Expose-Headers'])('of another site that exposes %s', async (exposed) => {
    // As Chromium shows it: of `*` and of its own name alone the header itself is among what is exposed.
    const headers = { 'content-length': String(file.length), ...(exposed?.match(/\*|access/i) && { 'access-control-expose-headers': exposed }) };
    const respond = (encoded: object) => Object.defineProperty(new Response(file, { headers: { ...headers, ...encoded } }), 'type', { value: 'cors' });
    const lengthOf = async (encoded: object) => (await urlSource('http://localhost/model', { fetch: async () => respond(encoded) }).open()).byteLength;
    expect(await lengthOf({})).toBe('access-control-expose-headers' in headers ? file.length : undefined);
    expect(await lengthOf({ 'content-encoding': 'gzip' })).toBe(undefined);
  });

  test('more bytes than `maxBytes`, wherever they come from', async () => {
    for (const source of [`${url}/model`, `${url}/chunked`, new Blob([file]), new Uint8Array(file), new Uint8Array(file).buffer]) {
      await expect(readModel(source, { maxBytes: file.length - 1 })).rejects.toEqual(code('limit-exceeded'));
      await expect(loadModel(source, { maxBytes: file.length - 1, backend: 'wasm' })).rejects.toEqual(code('limit-exceeded'));
      expect((await readModel(source, { maxBytes: file.length })).labels).toHaveLength(10);
    }
  });

  test('cancellation before and in the middle', async () => {
    await expect(readModel(`${url}/model`, { signal: AbortSignal.abort() })).rejects.toEqual(code('aborted'));
    const controller = new AbortController();
    await expect(readModel(`${url}/slow`, { signal: controller.signal, onProgress: () => controller.abort() })).rejects.toEqual(code('aborted'));
  });

  test('bytes that are no safetensors file', async () => {
    await expect(readModel(new Uint8Array(3))).rejects.toEqual(code('invalid-file'));
    await expect(readModel(new TextEncoder().encode('<!doctype html><title>Not found</title>'))).rejects.toEqual(code('invalid-file'));
  });
});

describe('options', () => {
  const plain = seededModel({ arch: 'resnet_small14' }, 1);
  const tensors = () => [...plain.weights.shapes.keys()].map((name) => [name, plain.weights.get(name)] as const);

  test('the caller\'s options win over the file\'s, and `plain` over `c0`', async () => {
    const metadata = { compconv: JSON.stringify({ arch: 'resnet_small14', c0: 16, blocksPerStage: 2 }) };
    await expect(readModel(writeSafetensors(tensors(), metadata))).rejects.toEqual(code('invalid-weights'));
    const model = await readModel(writeSafetensors(tensors(), metadata), { plain: true, input: { batch: 3, height: 40, width: 32 } });
    expect(model.graph.name).toBe('ResNetSmall14');
    expect(model.graph.shapes.get('input')).toEqual({ n: 3, h: 40, w: 32, c: 1 });
  });

  test.each([
    ['labels', '{"a":1}'],
    ['labels', '[1,2]'],
    ['preprocess', '{"size":-1}'],
    ['preprocess', 'nonsense'],
    ['preprocess', `{"size":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
    ['preprocess', '{"size":28,"mean":[1e300],"std":[1],"color":"gray"}'],
    ['preprocess', '{"size":28,"mean":[0],"std":[1e-300],"color":"gray"}'],
    ['compconv', '[]'],
    ['compconv', '{"arch":"resnet9000"}'],
    ['compconv', '{"arch":"resnet18","c0":1e999}'],
    ['compconv', `{"arch":"${'x'.repeat(10_000)}"}`],
  ])('bad metadata: %s = %.40s', async (key, value) => {
    const metadata = { compconv: JSON.stringify({ arch: 'resnet_small14' }), [key]: value };
    const error = await readModel(writeSafetensors(tensors(), metadata)).catch((error: Error) => error);
    expect(error).toEqual(code('invalid-file'));
    expect((error as Error).message).toMatch(new RegExp(`^metadata "${key}"[^]{1,400}$`));
  });

  test('depths that have no text of their own', async () => {
    const metadata = { compconv: '{"arch":"resnet_small14","depths":{"conv1":{"toString":1}}}' };
    await expect(readModel(writeSafetensors(tensors(), metadata))).rejects.toEqual(code('invalid-graph'));
  });
});
