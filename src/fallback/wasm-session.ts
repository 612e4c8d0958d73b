/**
 * A network without WebGPU: the same graph, by way of the ONNX export, in onnxruntime-web's WebAssembly, which uses a processor better
 * than a software adapter does. A chunk of its own, loaded with the optional package `onnxruntime-web` only where it is wanted.
 *
 * It does what a session does for images and tensors. Of what is about a GPU it has nothing: no plan, no tuning, no buffers.
 */
import type { InferenceSession } from 'onnxruntime-web';
import { CompConvError, isNode, throwIfAborted } from '../errors.ts';
import { networkCost, type NetworkCost } from '../graph/cost.ts';
import { shapeOf, withInputShape, type Graph } from '../graph/graph.ts';
import type { Model } from '../models/read-model.ts';
import { exportOnnx } from '../onnx/export.ts';
import { checkFinite, joinResults, splitBatch } from '../runtime/batches.ts';
import type { RunResult, TappedResult } from '../runtime/gpu-network.ts';
import type { RunOptions, SessionMemory } from '../runtime/session-options.ts';
import { checkOneImage, imagesOf, isTensor, shapeOfInput, type SessionInput } from '../runtime/session-input.ts';
import { Turns } from '../runtime/turns.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { preprocessOnCpu } from '../vision/cpu-preprocess.ts';
import type { ImageSource } from '../vision/image-source.ts';
import { toRawImage } from '../vision/raw-image.ts';
import { topK, type Classification } from '../vision/top-k.ts';

type Ort = typeof import('onnxruntime-web');

/** Image sizes whose sessions are kept; each holds the weights once more. */
const MAX_SIZES = 2;

/**
 * A network on the processor, by onnxruntime-web: what `loadModel` gives with `fallback: 'wasm'` where there is no GPU. It runs as a `Session`
 * does, as far as it goes.
 */
export class WasmSession {
  /** What computes. */
  readonly backend = 'wasm';
  /** What was loaded: graph, preprocessing, labels. */
  readonly model: Omit<Model, 'weights'>;
  /** Why it is not WebGPU that computes. */
  readonly reason: string;
  readonly #network: Model;
  readonly #ort: Ort;
  readonly #turns = new Turns();
  /** By height and width; the most recently used one last. Runs are of one image each: batches gain nothing on a processor. */
  readonly #sized = new Map<string, Promise<InferenceSession>>();
  #cost: NetworkCost | undefined;
  #isDisposed = false;

  private constructor(network: Model, ort: Ort, reason: string) {
    const { weights: _, ...model } = network;
    this.model = model;
    this.reason = reason;
    this.#network = network;
    this.#ort = ort;
  }

  /** See `loadModel`. @throws io where `onnxruntime-web` is not installed or does not start; aborted */
  static async create(network: Model, reason: string, signal?: AbortSignal): Promise<WasmSession> {
    const session = new WasmSession(network, await importOrt(), reason);
    await session.#prepare(shapeOf(network.graph, network.graph.input));
    if (signal?.aborted) session.dispose();
    throwIfAborted(signal);
    return session;
  }

  /** See `Session.graph`. */
  get graph(): Graph {
    return this.model.graph;
  }

  /** See `Session.cost`. */
  get cost(): NetworkCost {
    return (this.#cost ??= networkCost(this.graph));
  }

  /** Nothing: it is on no GPU. */
  get memory(): SessionMemory {
    return { weightBytes: 0, activationBytes: 0, pooledBytes: 0 };
  }

  /** See `Session.run`. @throws invalid-argument, invalid-graph, non-finite, aborted, disposed */
  async run(input: SessionInput, options: RunOptions = {}): Promise<Tensor> {
    return (await this.runTimed(input, options)).output;
  }

  /** See `Session.runTimed`. There are no submits; what preparing images takes is part of the latency. */
  async runTimed(input: SessionInput, { flip = false, signal, allowNonFinite }: RunOptions = {}): Promise<RunResult> {
    const { taps: _, ...result } = await this.#turns.take(this, () => this.#run(input, flip, signal), signal);
    if (!allowNonFinite) checkFinite(result.output, this.graph.name);
    return result;
  }

  /** See `Session.classify`. */
  async classify(image: ImageSource, { topK: k = 5, ...options }: RunOptions & { topK?: number | undefined } = {}): Promise<Classification[]> {
    checkOneImage(image);
    return topK((await this.run(image, options)).data, this.model.labels, k);
  }

  /** Frees everything; again is harmless. A run in progress rejects with `disposed`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    // When the run in progress, which may be about to use them, has come to its end.
    void this.#turns.take(this, () => this.#releaseAll());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  async #run(input: SessionInput, flip: boolean, signal: AbortSignal | undefined): Promise<TappedResult> {
    this.#throwIfDisposed();
    const shape = shapeOfInput(this.graph, input);
    const session = await this.#prepare(shape);
    const results: TappedResult[] = [];
    for (const part of splitBatch(input, 1)) {
      const start = performance.now();
      const { shape, data } = isTensor(part) ? part : await this.#preprocess(part as Exclude<SessionInput, Tensor>, flip);
      this.#throwIfDisposed();
      throwIfAborted(signal);
      const { output } = await session.run({ input: new this.#ort.Tensor('float32', data, shape) });
      this.#throwIfDisposed();
      results.push({ output: { shape: output.dims, data: output.data as Float32Array }, taps: {}, latencyMs: performance.now() - start, encodeMs: 0, submits: 0 });
    }
    return joinResults(results);
  }

  async #preprocess(input: Exclude<SessionInput, Tensor>, flip: boolean): Promise<Tensor> {
    const { preprocess, graph } = this.model;
    if (!preprocess) {
      throw new CompConvError('invalid-argument', `${graph.name}: the model has no \`preprocess\`, so it takes tensors only, not images`);
    }
    const { h: height, w: width } = shapeOf(graph, graph.input);
    const images = await Promise.all(imagesOf(input).map(toRawImage));
    return preprocessOnCpu(images, preprocess, { height, width }, { flip });
  }

  async #releaseAll(): Promise<void> {
    for (const session of this.#sized.values()) await session.then((session) => session.release(), () => {});
    this.#sized.clear();
  }

  /** The session for images of that size; made if there is none yet. */
  #prepare({ h, w, c }: ImageShape): Promise<InferenceSession> {
    const key = `${h}x${w}`;
    const session = this.#sized.get(key) ?? this.#createSession({ n: 1, h, w, c });
    this.#sized.delete(key); // Back in below as the most recent one.
    for (const [oldest, unused] of this.#sized) {
      if (this.#sized.size < MAX_SIZES) break;
      void unused.then((unused) => unused.release(), () => {});
      this.#sized.delete(oldest);
    }
    this.#sized.set(key, session);
    session.catch(() => this.#sized.delete(key));
    return session;
  }

  async #createSession(shape: ImageShape): Promise<InferenceSession> {
    const onnx = exportOnnx(withInputShape(this.graph, shape), this.#network.weights);
    try {
      return await this.#ort.InferenceSession.create(onnx, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
    } catch (cause) {
      throw new CompConvError(
        'io',
        `onnxruntime-web does not start: ${(cause as Error).message}${isNode() ? '' : `; ${BROWSER_ADVICE}`}`,
        { cause },
      );
    }
  }

  #throwIfDisposed(): void {
    if (this.#isDisposed) throw new CompConvError('disposed', 'the session was disposed; create a new one');
  }
}

/** Why WebAssembly does not start in a page. */
const BROWSER_ADVICE =
  "are its files (ort-wasm-…) served beside it, which Vite's dev server does for folders of `server.fs.allow` only, and does the " +
  "page's Content-Security-Policy allow 'wasm-unsafe-eval'?";

/** The build for browsers asks for Node's modules in a way that only CommonJS has. By a name that no bundler follows: a page would ship the build for Node, too. */
const importInNode = (name: string): Promise<Ort> => import(/* @vite-ignore */ /* webpackIgnore: true */ name);

async function importOrt(): Promise<Ort> {
  try {
    return isNode() ? await importInNode('onnxruntime-web') : await import('onnxruntime-web/wasm');
  } catch (cause) {
    throw new CompConvError('io', `the backend wasm takes the package onnxruntime-web, which does not load: ${(cause as Error).message}. Install it with: npm install onnxruntime-web`, { cause });
  }
}
