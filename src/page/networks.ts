/** The networks on the page: their models, sessions, answers and times. */
import { createSession, readModel, networkCost, summarizePlan } from '../index.ts';
import type {
  Classification,
  ImageSource,
  NetworkModel,
  NetworkCost,
  PlanSummary,
  Session,
  SessionProgress,
} from '../index.ts';
import { median } from './format.ts';
import type { Sample } from './samples.ts';

/** `own` is the one from the visitor's file. */
export type NetworkId = 'plain' | 'compconv' | 'own';

/** A network that is read but needs no GPU yet: what it costs is known. */
export interface LoadedNetwork {
  readonly id: NetworkId;
  readonly title: string;
  readonly fileName: string;
  readonly fileBytes: number;
  readonly model: NetworkModel;
  readonly cost: NetworkCost;
}

/** Known once the adapter is. */
export interface PlanView {
  readonly plan?: PlanSummary;
}

/** A network on the GPU. */
export interface ReadyNetwork extends LoadedNetwork {
  readonly session: Session;
  readonly plan: PlanSummary;
}

export interface Times {
  /** Median over the timed images. */
  readonly latencyMs: number;
  readonly gpuTimeMs: number | undefined;
  readonly images: number;
}

/** A network that takes seconds per image is not timed on all of them. */
const TIMING_BUDGET_MS = 4000;
const MIN_TIMED_IMAGES = 3;

const TITLES: Readonly<Record<NetworkId, string>> = { plain: 'Plain', compconv: 'CompConv', own: 'Yours' };

/** Reads a network from an address or a file; `onBytes` is called while downloading. */
export async function loadNetwork(
  id: NetworkId,
  source: string | File,
  onBytes: (done: number, total: number | undefined) => void = () => {},
): Promise<LoadedNetwork> {
  let fileBytes = typeof source === 'string' ? 0 : source.size;
  const model = await readModel(source, {
    onProgress({ done, total }) {
      fileBytes = done;
      onBytes(done, total);
    },
  });
  const fileName = typeof source === 'string' ? fileNameOf(source) : source.name;
  return { id, title: TITLES[id], fileName, fileBytes, model, cost: networkCost(model.graph) };
}

/** Of an address or path. */
export function fileNameOf(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1);
}

export async function startNetwork(
  network: LoadedNetwork,
  onProgress: (progress: SessionProgress) => void,
): Promise<ReadyNetwork> {
  const session = await createSession(network.model, { onProgress });
  return { ...network, session, plan: summarizePlan(session.plan) };
}

/** The network's kind in a few words: `plain convolutions`, `depth by C₀ = 16`. */
export function describeKind({ model: { options } }: LoadedNetwork): string {
  if (options.c0 !== undefined) return `depth by C₀ = ${options.c0}`;
  return options.depths === undefined ? 'plain convolutions' : 'depths by layer';
}

/** Whether right and wrong can be told: its classes are those of the bundled images. */
export function knowsLabels({ model }: LoadedNetwork, samples: readonly Sample[]): boolean {
  return samples.every(({ label }) => model.labels?.includes(label));
}

/** The best answers, best first. */
export function classify(network: ReadyNetwork, image: ImageSource, topK: number): Promise<Classification[]> {
  return network.session.classify(image, { topK });
}

/**
 * Times networks on the same images, taking turns image by image and changing who goes first, so that whatever else the
 * machine does falls on all alike. They must have run before: the first run also warms up.
 */
export async function timeNetworks(
  networks: readonly ReadyNetwork[],
  images: readonly ImageSource[],
  onImage: (done: number) => void = () => {},
): Promise<Map<NetworkId, Times>> {
  const latencies = new Map<NetworkId, number[]>(networks.map(({ id }) => [id, []]));
  const gpuTimes = new Map<NetworkId, number[]>(networks.map(({ id }) => [id, []]));
  const start = performance.now();
  for (const [index, image] of images.entries()) {
    if (index >= MIN_TIMED_IMAGES && performance.now() - start > TIMING_BUDGET_MS) break;
    for (const { id, session } of index % 2 === 0 ? networks : [...networks].reverse()) {
      const { latencyMs, gpuTimeMs } = await session.runTimed(image);
      latencies.get(id)!.push(latencyMs);
      if (gpuTimeMs !== undefined) gpuTimes.get(id)!.push(gpuTimeMs);
    }
    onImage(index + 1);
  }
  return new Map(
    networks.map(({ id }) => [
      id,
      {
        latencyMs: median(latencies.get(id)!)!,
        gpuTimeMs: median(gpuTimes.get(id)!),
        images: latencies.get(id)!.length,
      },
    ]),
  );
}
