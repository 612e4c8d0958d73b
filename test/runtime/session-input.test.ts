/** What a session takes, told apart, and its shape. */
import { expect, it, test } from 'vitest';
import { createNetwork } from '../../src/models/network.ts';
import { checkOneImage, imagesOf, isGpuTensor, isTensor, shapeOfInput, type SessionInput } from '../../src/runtime/session-input.ts';

const graph = createNetwork({ arch: 'resnet_small14' });
const STORAGE = 0x80;
Object.assign(globalThis, { GPUBufferUsage: { STORAGE } });
const buffer = { size: 4096, usage: STORAGE, mapState: 'unmapped' } as GPUBuffer;
const image = { width: 1, height: 1, data: new Uint8Array(4) };
const onHost = { shape: [1, 1, 4, 5], data: new Float32Array(20) };
const onGpu = { shape: [2, 1, 6, 7], buffer };

test.each([
  [onHost, true, false],
  [onGpu, false, true],
  [image, false, false],
  [[image], false, false],
] as [SessionInput, boolean, boolean][])('%o', (input, host, gpu) => {
  expect([isTensor(input), isGpuTensor(input)]).toEqual([host, gpu]);
});

it('has the shape of the tensor, or the graph\'s for images', () => {
  expect(shapeOfInput(graph, onHost)).toEqual({ n: 1, h: 4, w: 5, c: 1 });
  expect(shapeOfInput(graph, onGpu)).toEqual({ n: 2, h: 6, w: 7, c: 1 });
  expect(shapeOfInput(graph, { ...onGpu, layout: 'nhwc' })).toEqual({ n: 2, h: 6, w: 7, c: 1 });
  expect(shapeOfInput(graph, [image, image])).toEqual({ n: 2, h: 28, w: 28, c: 1 });
});

test.each([
  ['other channels', { ...onGpu, shape: [1, 3, 4, 4] }, /the input must be \[N, 1, H, W\] with N >= 1, got \[1, 3, 4, 4\]/],
  ['another rank', { ...onGpu, shape: [1, 1, 4] }, /got \[1, 1, 4\]/],
  ['too small a buffer', { ...onGpu, shape: [2, 1, 28, 28] }, /is 6272 bytes of float32, from 0 on; the buffer has 4096/],
  ['text', 'photo.jpg', /expected a tensor \{ shape, data \} or \{ shape, buffer \}, or images .*GPUTexture.*got \[object String\]/],
  ['a plain array of numbers', { shape: [1, 1, 1, 2], data: [0, 1] }, /data must be a Float32Array, got \[object Array\]/],
  ['doubles', { shape: [1, 1, 1, 2], data: new Float64Array(2) }, /data must be a Float32Array, got \[object Float64Array\]/],
  ['no data', { shape: [1, 1, 1, 2] }, /data must be a Float32Array, got \[object Undefined\]/],
  ['nothing', [], /an empty list of images/],
  ['no shape', { shape: null, data: new Float32Array(1) }, /the shape must be a list of non-negative integers, got null/],
  ['a shape of names', { shape: ['a', 1, 2, 2], data: new Float32Array(4) }, /the shape must be a list of non-negative integers/],
  ['an empty shape', { shape: [], data: new Float32Array(1) }, /the input must be \[N, 1, H, W\]/],
])('rejects %s', (_name, input, message) => {
  expect(() => shapeOfInput(graph, input as SessionInput)).toThrow(message);
});

it('gives images as a list', () => expect(imagesOf(image)).toEqual([image]));

test.each([
  ['images', [image, image]],
  ['a tensor', { shape: [2, 1, 4, 5], data: new Float32Array(40) }],
  ['a tensor on the GPU', onGpu],
] as [string, SessionInput][])('a batch of %s is not to be classified', (_name, input) => {
  expect(() => checkOneImage(input)).toThrow(expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(/takes one image, got 2; .* call `run`/) as string }));
});

test.each([[image], [[image]], [onHost], [{ shape: undefined, data: onHost.data }]] as unknown as [SessionInput][])('one image is: %o', (input) => checkOneImage(input));
