/**
 * A model: a graph, its weights, and what it takes to show it images. Read from a `.safetensors` file whose metadata says
 * what network it holds, or made up from a seed.
 */
import { CompConvError, show, throwIfAborted } from '../errors.ts';
import { graphParams, type Graph } from '../graph/graph.ts';
import { blobSource, checkBytes, readAll, urlSource, type ByteSource, type FetchOptions } from '../bytes/byte-source.ts';
import { onlyMore, pastDamagedCopies } from '../bytes/caching.ts';
import { checkWeights } from '../weights/check.ts';
import { naming, parseSafetensors, type SafetensorsFile } from '../weights/safetensors.ts';
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

/** What a file is read as; all of it wins over what the file's metadata says. */
export interface ReadOptions extends FetchOptions {
  /** Needed where the file has no metadata. */
  readonly network?: Partial<NetworkOptions> | undefined;
  /** As `network.c0`. */
  readonly c0?: number | undefined;
  /** As `network.depths`. */
  readonly depths?: NetworkOptions['depths'] | undefined;
  /** Builds the plain network, whatever `c0` and `depths` the file names. */
  readonly plain?: boolean | undefined;
  /** Default: height and width that the file's preprocessing crops to. */
  readonly input?: InputSize | undefined;
  /** As `input.batch`. */
  readonly batch?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called while downloading, with bytes; `total` is absent where the server does not tell, or is another site's and may have compressed. */
  readonly onProgress?: ((progress: { readonly phase: 'download'; readonly done: number; readonly total: number | undefined }) => void) | undefined;
}

/** A `.safetensors` file: its address, its bytes (in Node: of `readFile`), or a File or Blob. */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer | Blob;

/**
 * Reads a model from a `.safetensors` file, as data. `loadModel` makes one that runs, and takes less memory.
 * @throws io, integrity, invalid-file, invalid-weights (every missing and unexpected tensor is named), invalid-argument, limit-exceeded,
 * out-of-memory, aborted
 */
export async function readModel(source: ModelSource, options: ReadOptions = {}): Promise<NetworkModel> {
  const { signal, onProgress } = options;
  const weights = await readFile(source, options, (done, total) => onProgress?.({ phase: 'download', done, total }));
  throwIfAborted(signal);
  return { ...describeModel(weights, options), weights };
}

async function readFile(source: ModelSource, options: ReadOptions, onBytes: (done: number, total: number | undefined) => void): Promise<SafetensorsFile> {
  const bytes = bytesOf(source);
  if (bytes) {
    await checkBytes(bytes, options);
    return parseSafetensors(bytes);
  }
  const from = byteSource(source as string | URL | Blob, options);
  const onMoreBytes = onlyMore(onBytes);
  const read = await pastDamagedCopies(() => readAll(from, onMoreBytes, options.signal));
  return naming(from.name, () => parseSafetensors(read));
}

/** The bytes of a source that has them at hand. */
export function bytesOf(source: ModelSource): Uint8Array | undefined {
  if (source instanceof Uint8Array) return source;
  return source instanceof ArrayBuffer ? new Uint8Array(source) : undefined;
}

/** Where the bytes of any other source come from. @throws invalid-argument */
export function byteSource(source: string | URL | Blob, options: FetchOptions): ByteSource {
  if (source instanceof Blob) return blobSource(source, options);
  if (typeof source === 'string' || source instanceof URL) return urlSource(source, options);
  throw new CompConvError('invalid-argument', `a model is an address, the bytes of a file, or a File or Blob, got ${Object.prototype.toString.call(source)}`);
}

/** What network a file holds, from what it says of itself. @throws invalid-file, invalid-weights, invalid-argument */
export function describeModel(file: Pick<SafetensorsFile, 'shapes' | 'metadata'>, options: ReadOptions = {}): Omit<NetworkModel, 'weights'> {
  const { metadata } = file;
  const stored = metadata.get('compconv');
  const network = resolveOptions(stored === undefined ? undefined : parseNetworkOptions(stored), file, options);
  const preprocess = metadata.get('preprocess');
  const labels = metadata.get('labels');
  const shown = preprocess === undefined ? defaultPreprocess(network) : parsePreprocess(preprocess);
  const side = shown.crop ?? shown.size;
  const { batch } = options;
  const graph = createNetwork(network, { height: side, ...options.input, ...(batch !== undefined && { batch }) });
  checkWeights(graphParams(graph), file, graph.name);
  return { graph, options: network, preprocess: shown, ...(labels === undefined ? {} : { labels: parseLabels(labels) }) };
}

/** A model with made-up weights, the same for the same seed everywhere: for benchmarks and tests. @throws invalid-argument */
export function seededModel(network: NetworkOptions, seed: number, input?: InputSize): NetworkModel {
  const graph = createNetwork(network, input);
  return { graph, weights: seededWeights(graphParams(graph), seed), options: network, preprocess: defaultPreprocess(network) };
}

function resolveOptions(fromFile: NetworkOptions | undefined, file: Pick<Weights, 'shapes'>, options: ReadOptions): NetworkOptions {
  const { network, plain, c0: ownC0, depths: ownDepths } = options;
  const isGiven = ([, value]: [string, unknown]) => value !== undefined;
  const given = Object.fromEntries([...Object.entries(network ?? {}), ...Object.entries({ c0: ownC0, depths: ownDepths })].filter(isGiven));
  // Another architecture than the file's has nothing to do with the file's other options.
  const stored = 'arch' in given && given.arch !== fromFile?.arch ? undefined : fromFile;
  const { c0, depths, ...others } = stored ?? ({} as Partial<NetworkOptions>);
  // `c0` and `depths` are one choice: a caller who makes it replaces the file's whole.
  const compression = plain || 'c0' in given || 'depths' in given ? {} : { c0, depths };
  const { arch, ...rest } = { ...others, ...compression, ...given, innerBias: hasInnerBias(file) } as Partial<NetworkOptions>;
  if (arch === undefined) {
    throw new CompConvError('invalid-argument', 'the file has no "compconv" metadata; say which network it holds: give `arch`, and `c0` or `depths`');
  }
  return { arch, ...rest };
}

/** Sub-convolutions may carry a bias of their own (spec, section 4); the names tell. */
function hasInnerBias(file: Pick<Weights, 'shapes'>): boolean {
  return [...file.shapes.keys()].some((name) => name.endsWith('.primitive.bias'));
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
    throw new CompConvError('invalid-file', `metadata "labels" must be a JSON array of strings, got ${show(labels)}`);
  }
  return labels;
}
