/**
 * A model: a graph, its weights, and what it takes to show it images. Read from a `.safetensors` file whose metadata says
 * what network it holds, or made up from a seed.
 */
import { CompConvError, throwIfAborted } from '../errors.ts';
import { graphParams, type Graph } from '../graph/graph.ts';
import { checkWeights } from '../weights/check.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import { seededWeights } from '../weights/seeded.ts';
import type { Weights } from '../weights/weights.ts';
import { createNetwork, nativeInputSize, parseNetworkOptions, type InputSize, type NetworkOptions } from './network.ts';
import { IMAGENET_PREPROCESS, parsePreprocess, type Preprocess } from './preprocess.ts';

/** What a session runs. One of your own is `{ graph, weights }`, with `preprocess` if it is to be shown images. */
export interface Model {
  readonly graph: Graph;
  readonly weights: Weights;
  /** How images become the input; without it only tensors can be run. */
  readonly preprocess?: Preprocess;
  /** Name of each class. */
  readonly labels?: readonly string[];
}

/** A model of one of the known architectures. */
export interface NetworkModel extends Model {
  readonly options: NetworkOptions;
  readonly preprocess: Preprocess;
}

export interface ReadOptions {
  /** Options that win over the file's metadata; needed where it has none. */
  readonly network?: Partial<NetworkOptions>;
  /** Builds the plain network, whatever `c0` and `depths` the file names. */
  readonly plain?: boolean;
  /** Default: height and width that the file's preprocessing crops to. */
  readonly input?: InputSize;
  readonly signal?: AbortSignal;
  /** Called while downloading; `totalBytes` is absent where the server does not tell. */
  readonly onProgress?: (doneBytes: number, totalBytes: number | undefined) => void;
}

/**
 * Loads a model from a `.safetensors` file: its address, its bytes (in Node: of `readFile`), or a File or Blob.
 * @throws io, invalid-file, invalid-weights (every missing and unexpected tensor is named), invalid-argument, aborted
 */
export async function readModel(source: string | URL | Uint8Array | ArrayBuffer | Blob, options: ReadOptions = {}): Promise<NetworkModel> {
  const bytes = await readBytes(source, options);
  throwIfAborted(options.signal);
  const weights = parseSafetensors(bytes);
  const { metadata } = weights;
  const stored = metadata.get('compconv');
  const network = resolveOptions(stored === undefined ? undefined : parseNetworkOptions(stored), weights, options);
  const preprocess = metadata.get('preprocess');
  const labels = metadata.get('labels');
  const shown = preprocess === undefined ? defaultPreprocess(network) : parsePreprocess(preprocess);
  const side = shown.crop ?? shown.size;
  const graph = createNetwork(network, { height: side, ...options.input });
  checkWeights(graphParams(graph), weights, graph.name);
  return {
    graph,
    weights,
    options: network,
    preprocess: shown,
    ...(labels === undefined ? {} : { labels: parseLabels(labels) }),
  };
}

/** A model with made-up weights, the same for the same seed everywhere: for benchmarks and tests. @throws invalid-argument */
export function seededModel(network: NetworkOptions, seed: number, input?: InputSize): NetworkModel {
  const graph = createNetwork(network, input);
  return { graph, weights: seededWeights(graphParams(graph), seed), options: network, preprocess: defaultPreprocess(network) };
}

function resolveOptions(fromFile: NetworkOptions | undefined, weights: Weights, { network, plain }: ReadOptions): NetworkOptions {
  const given = Object.fromEntries(Object.entries(network ?? {}).filter(([, value]) => value !== undefined));
  // Another architecture than the file's has nothing to do with the file's other options.
  const stored = 'arch' in given && given.arch !== fromFile?.arch ? undefined : fromFile;
  const { c0, depths, ...others } = stored ?? ({} as Partial<NetworkOptions>);
  // `c0` and `depths` are one choice: a caller who makes it replaces the file's whole.
  const compression = plain || 'c0' in given || 'depths' in given ? {} : { c0, depths };
  const { arch, ...rest } = { ...others, ...compression, ...given, innerBias: hasInnerBias(weights) } as Partial<NetworkOptions>;
  if (arch === undefined) {
    throw new CompConvError('invalid-argument', 'the file has no "compconv" metadata; say which network it holds: give `arch`, and `c0` or `depths`');
  }
  return { arch, ...rest };
}

/** Sub-convolutions may carry a bias of their own (spec, section 4); the names tell. */
function hasInnerBias(weights: Weights): boolean {
  return [...weights.shapes.keys()].some((name) => name.endsWith('.primitive.bias'));
}

function defaultPreprocess({ arch, inChannels }: NetworkOptions): Preprocess {
  const size = nativeInputSize(arch);
  if (size === 224 && (inChannels ?? 3) === 3) return IMAGENET_PREPROCESS;
  const channels = inChannels ?? 1;
  if (channels === 1) return { size, mean: [0.5], std: [0.5], color: 'gray' };
  return { size, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], color: 'rgb' };
}

/** Reads the `labels` metadata. @throws invalid-file */
function parseLabels(json: string): string[] {
  let labels: unknown;
  try {
    labels = JSON.parse(json);
  } catch (cause) {
    throw new CompConvError('invalid-file', `metadata "labels" is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) {
    throw new CompConvError('invalid-file', `metadata "labels" must be a JSON array of strings, got ${json.slice(0, 80)}`);
  }
  return labels;
}

async function readBytes(source: string | URL | Uint8Array | ArrayBuffer | Blob, options: ReadOptions): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  return download(source, options);
}

/** Fetches an address, with progress. @throws io, aborted */
async function download(url: string | URL, { signal, onProgress }: ReadOptions): Promise<Uint8Array> {
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw new CompConvError('io', `${url}: the server answered ${response.status} ${response.statusText}`);
    // With a content encoding the length counts other bytes than those that arrive.
    const length = response.headers.has('content-encoding') ? null : response.headers.get('content-length');
    const total = length === null ? undefined : Number(length);
    const chunks: BlobPart[] = [];
    let done = 0;
    const reader = response.body!.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      done += next.value.length;
      onProgress?.(done, total);
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  } catch (cause) {
    if (cause instanceof CompConvError) throw cause;
    throwIfAborted(signal);
    throw new CompConvError('io', `${url}: could not be downloaded: ${(cause as Error).message}; of a local file pass the bytes`, { cause });
  }
}
