/**
 * Other engines beside ours on the same page: the same network with the same weights and input on the same adapter, each
 * in the settings that its makers recommend. Only the one asked for is loaded.
 *
 * A peer belongs to the realm that opened it and is best opened in a worker of its own: a library keeps its WebAssembly
 * memory, threads and GPU device until that ends. Comparing results, and timing, are the caller's.
 */
import { CompConvError, type ErrorCode } from '../../src/errors.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Weights } from '../../src/weights/weights.ts';

export const peerNames = ['ort-web', 'ort-wasm', 'tfjs'] as const;
export type PeerName = (typeof peerNames)[number];

/** What a peer is to run. */
export interface PeerNetwork {
  readonly graph: Graph;
  readonly weights: Weights;
  /** `[N, C, H, W]` */
  readonly input: Tensor;
}

/** How long a network took to get ready. */
export interface PeerLoad {
  /** To make the weights, and the file that the library loads, if it loads one. */
  readonly exportMs: number;
  /** From the weights, or that file, to a network that can run. */
  readonly createMs: number;
  /** What the library puts off until it runs for the first time is in here. */
  readonly firstRunMs: number;
}

/** One network in one setting, ready to run: it has run once. */
export interface PeerRunner {
  /** What is in use, for people: `NHWC, graph capture, input and output on the GPU`. */
  readonly setting: string;
  /** What did not work, and why: `graph capture: <reason>`. */
  readonly notes: readonly string[];
  readonly load: PeerLoad;
  /** What it computes on, as the library's own device tells; absent on the processor. */
  readonly adapter?: string;
  /**
   * From the input on the host to the logits `[N, classes]` on the host, upload and readback included. One run at a time.
   * @param input `[N, C, H, W]`; default the network's, which a peer may have put into its own layout beforehand
   */
  run(input?: Tensor): Promise<Tensor>;
  dispose(): Promise<void>;
}

export interface Peer {
  readonly name: PeerName;
  /** `onnxruntime-web 1.30.0, WebGPU` */
  readonly title: string;
  /** Fetching and starting the library and its WebAssembly; nothing of a network. */
  readonly downloadMs: number;
  /** Bytes of what was fetched, compressed as they came; absent where the browser does not tell. */
  readonly downloadBytes?: number;
  /** What `create` takes, best guess first. */
  readonly settings: readonly string[];
  /** Makes a network ready and runs it once. @throws where the library refuses it in this setting */
  create(setting: string, network: PeerNetwork): Promise<PeerRunner>;
  /** Lets go of all runners; what else the library holds goes with the realm. */
  dispose(): Promise<void>;
}

/** A library's failure in our words; libraries throw anything, numbers too. */
export function peerError(code: ErrorCode, where: string, cause: unknown): CompConvError {
  return new CompConvError(code, `${where}: ${reasonOf(cause)}`, { cause });
}

/** First line of what a library threw. */
export function reasonOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
}

/** What a library's own file says of a peer; the rest is the same for all. */
export interface PeerParts extends Omit<Peer, 'create' | 'dispose'> {
  create(setting: string, network: PeerNetwork): Promise<PeerRunner>;
  /** Called after all runners are gone. */
  close?(): void;
}

/** A peer that checks settings, says in every error where it is from, and keeps track of its runners. */
export function definePeer({ create, close, ...facts }: PeerParts): Peer {
  const { title, settings } = facts;
  const runners = new Set<PeerRunner>();
  return {
    ...facts,
    async create(setting, network) {
      if (!settings.includes(setting)) {
        throw new CompConvError('invalid-argument', `${title}: unknown setting ${JSON.stringify(setting)}; known are ${settings.join(', ')}`);
      }
      const made = await create(setting, network).catch((cause: unknown) => {
        throw peerError('invalid-graph', `${title}, ${setting}, ${network.graph.name}`, cause);
      });
      const runner: PeerRunner = {
        ...made,
        async dispose() {
          if (runners.delete(runner)) await made.dispose();
        },
      };
      runners.add(runner);
      return runner;
    },
    async dispose() {
      for (const runner of runners) await runner.dispose();
      close?.();
    },
  };
}

/**
 * Makes sure, before anything is downloaded, that there is an adapter; the libraries then ask for the same one.
 * @throws webgpu-unavailable
 */
export async function requireAdapter(title: string): Promise<void> {
  const gpu = (navigator as Navigator | undefined)?.gpu;
  if (!gpu) throw new CompConvError('webgpu-unavailable', `${title}: this browser has no WebGPU here`);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new CompConvError('webgpu-unavailable', `${title}: WebGPU is there but offers no adapter`);
}
